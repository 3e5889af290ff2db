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
  if (theirs.length === 0) return untoldOf(ours);
  if (theirs.some((value) => same(ours, value, check.form.slack))) return 'agrees';
  return check.moves !== undefined && near(ours, theirs, check.moves) ? 'moved' : 'differs';
}

/** An empty text is told as one; that there is none of something says no more than nothing does. */
function untoldOf(ours: unknown): Verdict {
  if (isEmpty(ours)) return 'missing in both';
  return ours === '' ? 'agrees' : 'missing there';
}

/** A word that a form knows is a value, even where it reads like none: `N/A` of a fabric is a state of ours. */
function meant(form: Form, told: string | undefined): unknown {
  if (told === undefined) return undefined;
  const value = form.read(told);
  return value === told && isAbsence(told) ? undefined : (value ?? undefined);
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}

/** A list, or values by name: compared member by member. */
type Many = Readonly<Record<string, unknown>>;

export function isMany(value: unknown): value is Many {
  return typeof value === 'object' && value !== null;
}

function isEmpty(value: unknown): boolean {
  return isMany(value) && Object.keys(value).length === 0;
}

function namesIn(...all: readonly Many[]): string[] {
  return [...new Set(all.flatMap((many) => Object.keys(many)))];
}

function same(ours: unknown, theirs: unknown, slack = 0): boolean {
  if (typeof ours === 'number' && typeof theirs === 'number')
    return Math.abs(ours - theirs) <= slack + rounding * Math.abs(theirs);
  if (isMany(ours) && isMany(theirs))
    return namesIn(ours, theirs).every((name) => same(ours[name], theirs[name], slack));
  return ours === theirs;
}

/** What two languages make of one fraction. */
const rounding = 4 * Number.EPSILON;

/** What is no number is not near: it has moved where the oracle, too, has seen it change. */
function near(ours: unknown, theirs: readonly unknown[], tolerance: number): boolean {
  if (theirs.some((value) => same(ours, value))) return true;
  const numbers = theirs.filter((value) => typeof value === 'number');
  if (typeof ours === 'number' && numbers.length === theirs.length)
    return ours >= Math.min(...numbers) - tolerance && ours <= Math.max(...numbers) + tolerance;
  const many = theirs.filter(isMany);
  if (isMany(ours) && many.length === theirs.length)
    return namesIn(ours, ...many).every((name) =>
      near(
        ours[name],
        many.map((each) => each[name]),
        tolerance,
      ),
    );
  return theirs.length === 2 && !same(theirs[0], theirs[1]);
}

/** Of two lists, or values by name, only the members that are not the same. */
export function apart(ours: unknown, theirs: unknown, slack = 0): [ours: unknown, theirs: unknown] {
  if (!isMany(ours) || !isMany(theirs)) return [ours, theirs];
  const odd = namesIn(ours, theirs)
    .filter((name) => !same(ours[name], theirs[name], slack))
    .map((name) => ({ name, both: apart(ours[name], theirs[name], slack) }));
  return [
    Object.fromEntries(odd.map(({ name, both: [own] }) => [name, own])),
    Object.fromEntries(odd.map(({ name, both: [, other] }) => [name, other])),
  ];
}
