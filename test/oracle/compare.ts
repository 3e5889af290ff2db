import { type Check, type Form, isAbsence } from './check.ts';

/** `moved`: it changes by itself, and ours is near enough to what the oracle told before or after. */
export const verdicts = [
  'agrees',
  'moved',
  'differs',
  'missing here',
  'missing there',
  'missing in both',
] as const;
export type Verdict = (typeof verdicts)[number];

/** What an oracle said before and after we read; undefined: it does not tell this at all. */
export interface Told {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** @param reading as our tools answer it: null where it is missing */
export function compare(check: Pick<Check, 'of' | 'form' | 'moves'>, reading: unknown, told: Told): Verdict {
  const ours = isNothing(reading) ? reading : check.of(reading);
  const theirs = [told.before, told.after]
    .map((text) => meant(check.form, text))
    .filter((value) => value !== undefined);
  if (isNothing(ours)) return theirs.every(isEmpty) ? 'missing in both' : 'missing here';
  if (theirs.length === 0) return ours === '' ? 'agrees' : 'missing there';
  if (theirs.some((value) => same(ours, value, check.form.slack))) return 'agrees';
  return check.moves !== undefined && near(ours, theirs, check.moves) ? 'moved' : 'differs';
}

/** A word that a form knows is a value, even where it reads like none: `N/A` of a fabric is a state of ours. */
function meant(form: Form, told: string | undefined): unknown {
  if (told === undefined) return undefined;
  const value = form.read(told);
  return value === told && isAbsence(told) ? undefined : value;
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function same(ours: unknown, theirs: unknown, slack = 0): boolean {
  if (typeof ours === 'number' && typeof theirs === 'number') return Math.abs(ours - theirs) <= slack;
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** What is no number is not near: it has moved where the oracle, too, has seen it change. */
function near(ours: unknown, theirs: readonly unknown[], tolerance: number): boolean {
  const numbers = theirs.filter((value) => typeof value === 'number');
  if (typeof ours === 'number' && numbers.length === theirs.length)
    return ours >= Math.min(...numbers) - tolerance && ours <= Math.max(...numbers) + tolerance;
  return theirs.length === 2 && !same(theirs[0], theirs[1]);
}
