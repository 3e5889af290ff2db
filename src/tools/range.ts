import { z } from 'zod';

export const range = z.object({ min: z.number(), mean: z.number(), max: z.number() }).nullable();
type Range = z.output<typeof range>;

/** Of those that could be read; null where none could. */
export function rangeOf(values: readonly (number | null)[]): Range {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const rounded = (value: number) => Number(value.toFixed(1));
  return { min: rounded(Math.min(...known)), mean: rounded(mean), max: rounded(Math.max(...known)) };
}

/** `63 % busy (12 to 98)`. */
export function rangeText(values: Range, unit: string): string | null {
  if (!values) return null;
  const { min, mean, max } = values;
  return `${Math.round(mean)} ${unit}${min === max ? '' : ` (${Math.round(min)} to ${Math.round(max)})`}`;
}
