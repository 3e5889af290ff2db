import type { GpuEvent } from '../../core/event.ts';

type ErrorParts = Pick<GpuEvent, 'kind' | 'origin' | 'pciSlot' | 'code' | 'details'>;

/**
 * What one error has in common: a storm of one takes no room from another, nor a GPU's from another's, nor errors that the
 * bus corrects, which come by the thousand, from those that it does not. What programs write is one error of each kind:
 * they can make up as many as they like.
 */
export function errorOf({ kind, origin, pciSlot, code, details }: ErrorParts): string {
  if (origin === 'userSpace') return `${kind} ${origin}`;
  return `${kind} ${origin} ${pciSlot} ${code}${details.corrected ? ' corrected' : ''}`;
}

/** Of a log full of lines about one error. More than a book keeps: of those that it drops its readers are told. */
const linesOfErrorAtMost = 2500;
/** Of the kernel, and of programs: what is looked at is remembered, and errors of all GPUs are fewer. */
const linesAtMost = 20_000;

/** The lines of a log that are looked at, in their order. */
export function newestOfEachError<Line extends Pick<GpuEvent, 'origin'>>(
  lines: readonly Line[],
  keyOf: (line: Line) => string,
): readonly Line[] {
  return newestOfEach(newestOfEach(lines, keyOf, linesOfErrorAtMost), ({ origin }) => origin, linesAtMost);
}

/** The newest of what has each key, in their order: as many of each as there is room for, of `room` in all. */
export function fairShare<T>(items: readonly T[], keyOf: (item: T) => string, room: number): readonly T[] {
  if (items.length <= room) return items;
  const counts = new Map<string, number>();
  for (const item of items) countUp(counts, keyOf(item));
  return newestOfEach(items, keyOf, shareOf([...counts.values()], room)).slice(-room);
}

/** What the rare leave of their share goes to the frequent. */
function shareOf(counts: readonly number[], room: number): number {
  let [left, keys] = [room, counts.length];
  for (const count of counts.toSorted((a, b) => a - b)) {
    if (count * keys > left) break;
    left -= count;
    keys--;
  }
  return Math.max(1, Math.floor(left / keys));
}

function countUp(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}

/** The newest of what has each key, in their order. What is not among them never will be, whatever comes after it. */
function newestOfEach<T>(items: readonly T[], keyOf: (item: T) => string, atMost: number): readonly T[] {
  if (items.length <= atMost) return items;
  const counts = new Map<string, number>();
  const newest = items.toReversed().filter((item) => countUp(counts, keyOf(item)) <= atMost);
  return newest.reverse();
}
