import { z } from 'zod';

export const range = z
  .object({
    min: z.number(),
    mean: z.number(),
    max: z.number(),
    gpus: z.int().describe('of how many GPUs it is'),
  })
  .nullable();
type Range = z.output<typeof range>;

/** Of those that could be read; null where none could. */
export function rangeOf(values: readonly (number | null)[]): Range {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const rounded = (value: number) => Number(value.toFixed(1));
  return {
    min: rounded(Math.min(...known)),
    mean: rounded(mean),
    max: rounded(Math.max(...known)),
    gpus: known.length,
  };
}

/** `63 % busy (12 to 98)`; with `7 of 8 GPUs` in the brackets where it is not of all. */
export function rangeText(values: Range, unit: string, all: number): string | null {
  if (!values) return null;
  const { min, mean, max, gpus } = values;
  const notes = [min !== max && `${Math.round(min)} to ${Math.round(max)}`, partOf(gpus, all)].filter(
    Boolean,
  );
  return `${Math.round(mean)} ${unit}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
}

/** `1 of 4 GPUs`; null where it is all of them. */
export function partOf(some: number, all: number): string | null {
  return some === all ? null : `${some} of ${all} GPUs`;
}
