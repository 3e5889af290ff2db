const levels = [...'▁▂▃▄▅▆▇█'];
/** Nothing was sampled there. */
export const gapMark = '·';

/**
 * One character for each value, as high as it is between `min` and `max`; a gap shows as `·`, never as a low value. Where
 * all are alike they stand at the lowest level.
 */
export function sparkline(
  values: readonly (number | null)[],
  { min, max }: { readonly min: number; readonly max: number },
): string {
  return values.map((value) => (value === null ? gapMark : levelOf(value, min, max))).join('');
}

function levelOf(value: number, min: number, max: number): string {
  const share = max > min ? (value - min) / (max - min) : 0;
  const level = Math.min(levels.length - 1, Math.max(0, Math.floor(share * levels.length)));
  return levels[level] ?? gapMark;
}

/**
 * The line under a sparkline, with one character under each of its: `T` where the GPU was slowed down, `X` where something
 * happened, `*` for both, else a space.
 */
export function markLine(slowed: readonly boolean[], happened: readonly boolean[]): string {
  return slowed
    .map((slow, column) => {
      if (happened[column]) return slow ? '*' : 'X';
      return slow ? 'T' : ' ';
    })
    .join('');
}
