/** A value and how much it counts: as a rule for how long it stood. */
export interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** Null where nothing counts. */
export function meanOf(values: readonly Weighted[]): number | null {
  const total = weightOf(values);
  return total > 0 ? values.reduce((sum, { value, weight }) => sum + value * weight, 0) / total : null;
}

/**
 * The least of the values that are not exceeded for this share of the time (nearest rank): always one that was seen.
 *
 * @param share 0 … 1
 */
export function quantileOf(values: readonly Weighted[], share: number): number | null {
  const sorted = values.filter(({ weight }) => weight > 0).sort((a, b) => a.value - b.value);
  const wanted = share * weightOf(sorted) * (1 - 1e-12); // sums of weights are not exact
  let sum = 0;
  for (const { value, weight } of sorted) {
    sum += weight;
    if (sum >= wanted) return value;
  }
  return null;
}

/**
 * By how much the mean of the last fifth of the time is above that of the first: a trend that one odd value does not make.
 * Null with fewer than ten values.
 */
export function changeOf(values: readonly Weighted[]): number | null {
  if (values.length < 10) return null;
  const fifth = weightOf(values) / 5;
  const first = meanOf(within(values, fifth));
  const last = meanOf(within(values.toReversed(), fifth));
  return first === null || last === null ? null : last - first;
}

/** What a span of a counter says. */
export interface Counted {
  readonly min: number;
  readonly max: number;
}

/**
 * By how much a counter has grown over these spans, oldest first. A counter that falls was set back to 0, and has grown
 * since by what it shows; what it had grown before that within the same span nobody knows, and it is not counted.
 */
export function increaseOf(spans: readonly Counted[]): number {
  let increase = 0;
  spans.forEach(({ min, max }, at) => {
    const before = spans[at - 1];
    const after = spans[at + 1];
    if (before) increase += min >= before.max ? min - before.max : min;
    if (!after || after.min >= max) increase += max - min;
  });
  return increase;
}

function weightOf(values: readonly Weighted[]): number {
  return values.reduce((sum, { weight }) => sum + weight, 0);
}

/** The first values that together count so much; the last one of them as far as it fits. */
function within(values: readonly Weighted[], total: number): Weighted[] {
  const taken: Weighted[] = [];
  let left = total;
  for (const { value, weight } of values) {
    if (left <= 0) break;
    taken.push({ value, weight: Math.min(weight, left) });
    left -= weight;
  }
  return taken;
}
