import type { Mapped } from './mapping.ts';

/**
 * `moved`: theirs was another before than after, and ours lies outside of both, so nothing can be said. `missingThere`: only
 * we tell it. `missingHere` is a disagreement, as `differs` is.
 */
export type Verdict = 'agrees' | 'bothMissing' | 'moved' | 'missingThere' | 'missingHere' | 'differs';

export const disagreements: ReadonlySet<Verdict> = new Set(['missingHere', 'differs']);

/** What an oracle said of one value, before and after we looked; undefined: it does not have it. */
export interface Told {
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** @param ours as it stands in our answer: null where it is missing */
export function judged(ours: unknown, { before, after }: Told, how: Mapped): Verdict {
  const theirs = [before, after].filter(isTold);
  if (theirs.length === 0) return ours === null ? 'bothMissing' : 'missingThere';
  if (ours === null) return 'missingHere';
  if (agrees(ours, theirs, how)) return 'agrees';
  return before === after ? 'differs' : 'moved';
}

const untold =
  /^\[?\s*(n\/a|not supported|unknown error|insufficient permissions|not found|err!|gpu is lost|requested functionality has been deprecated|)\s*\]?$/i;

function isTold(text: string | undefined): text is string {
  return text !== undefined && !untold.test(text);
}

function agrees(ours: unknown, theirs: readonly string[], how: Mapped): boolean {
  if (typeof ours === 'number') return between(ours, theirs.map(numberIn), how);
  if (typeof ours === 'boolean') return theirs.some((text) => flagIn(text) === ours);
  const essence = how.essence ?? lettersAndDigits;
  if (Array.isArray(ours)) return theirs.some((text) => sameItems(ours, text.split(' ')));
  return theirs.some((text) => essence(how.words?.[text] ?? text) === essence(String(ours)));
}

/** A list of which nothing is true is told as none. */
function sameItems(ours: readonly unknown[], theirs: readonly string[]): boolean {
  const sorted = (items: readonly unknown[]) =>
    items
      .map((item) => lettersAndDigits(String(item)))
      .sort()
      .join(' ');
  return sorted(ours.length > 0 ? ours : ['none']) === sorted(theirs);
}

function between(ours: number, theirs: readonly number[], { scale = 1, tolerance = 0 }: Mapped): boolean {
  const scaled = theirs.map((number) => number * scale);
  return Math.min(...scaled) - tolerance <= ours && ours <= Math.max(...scaled) + tolerance;
}

/** `675 MHz`, `8x`, `P5`, `640 bank(s)`; a flag that we have as a number. */
function numberIn(text: string): number {
  const [number] = /-?\d+(\.\d+)?(e[+-]?\d+)?/i.exec(text) ?? [];
  return Number(number ?? Number.NaN);
}

function flagIn(text: string): boolean | undefined {
  if (/^(enabled|active|yes|valid|true|1)$/i.test(text)) return true;
  return /^(disabled|not active|no|invalid|false|0)$/i.test(text) ? false : undefined;
}

function lettersAndDigits(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\d.]/gu, '');
}

/** The value at a path such as `eccLocations.dram.correctedVolatile`; null where there is none. */
export function valueAt(row: unknown, path: string): unknown {
  let value = row;
  for (const part of path.split('.')) {
    if (value === null || value === undefined) return null;
    value = Array.isArray(value) ? itemOf(value, part) : (value as Record<string, unknown>)[part];
  }
  return value ?? null;
}

function itemOf(list: readonly unknown[], part: string): unknown {
  if (part === 'length') return list.length;
  const named = list.find((item) => {
    const { location, link } = (item ?? {}) as Record<string, unknown>;
    return location === part || String(link) === part;
  });
  return named ?? list[Number(part)];
}
