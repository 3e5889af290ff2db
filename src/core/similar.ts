/** ` (did you mean call?)`, to stand behind the word that was mistyped; nothing where no known word is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

/** At most this part of the longer word may differ: `cal` is call and `gpu_health` is get_gpu_health, `ask` is nothing. */
const mostDifferent = 0.4;

/** The known word that is most like this one; dashes in front and capitals do not count. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((each) => ({ each, different: difference(bare(word), bare(each)) }))
    .sort((a, b) => a.different - b.different);
  const [first] = ranked;
  return first && first.different <= mostDifferent ? first.each : undefined;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/^-+/, '').slice(0, 64);
}

/** Letters to add, drop, replace or swap with their neighbour, as a part of the longer word. */
function difference(a: string, b: string): number {
  const zero = Array.from({ length: b.length + 1 }, (_, column) => column);
  let rows: Rows = { before: [], last: zero };
  for (let row = 1; row <= a.length; row += 1)
    rows = { before: rows.last, last: nextRow(rows, a.slice(0, row), b) };
  return (rows.last[b.length] ?? 0) / Math.max(a.length, b.length, 1);
}

interface Rows {
  readonly before: readonly number[];
  readonly last: readonly number[];
}

/** From `start`, the word so far, to each beginning of `b`. */
function nextRow({ before, last }: Rows, start: string, b: string): number[] {
  const row = [start.length];
  const cost = (costs: readonly number[], column: number) => costs[column] ?? Number.POSITIVE_INFINITY;
  for (let column = 1; column <= b.length; column += 1) {
    const replaced = cost(last, column - 1) + (start.at(-1) === b[column - 1] ? 0 : 1);
    const swapped = start.slice(-2) === b.slice(0, column).slice(-2).split('').reverse().join('');
    const both = swapped && start.length > 1 && column > 1 ? cost(before, column - 2) + 1 : replaced;
    row.push(Math.min(cost(last, column) + 1, cost(row, column - 1) + 1, replaced, both));
  }
  return row;
}
