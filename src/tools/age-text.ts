import { type GpuReadings, slowReadings } from '../core/gpu.ts';
import { duration } from '../core/words.ts';

interface Read {
  readonly ageMs: number | null;
  readonly slowAgeMs: number | null;
  readonly takesMs?: number | undefined;
}

/** `read 1 s ago (31 s ago: fabric, nvlinks)`; null where nothing was read. */
export function readText(row: Read): string | null {
  const { ageMs, slowAgeMs, takesMs } = row;
  if (ageMs === null) return null;
  const rarer = Object.entries(row).flatMap(([name, value]) =>
    value !== null && slowReadings.has(name as keyof GpuReadings) ? name : [],
  );
  const older = rarer.length > 0 && isMuchOlder(slowAgeMs, ageMs);
  const apart = older ? ` (${duration(slowAgeMs)} ago: ${rarer.join(', ')})` : '';
  return `read ${duration(ageMs)} ago${apart}${takesMs ? `, which takes the driver ${duration(takesMs)}` : ''}`;
}

/** ` Readings at most 4 ms old; those taken once a minute at most 12 s.`; '' where nothing was read. */
export function agesText(oldestMs: number | null, oldestSlowMs: number | null): string {
  if (oldestMs === null) return '';
  const slow = isMuchOlder(oldestSlowMs, oldestMs)
    ? `; those taken once a minute at most ${duration(oldestSlowMs)}`
    : '';
  return ` Readings at most ${duration(oldestMs)} old${slow}.`;
}

/** So much that it is said. */
export function isMuchOlder(ageMs: number | null, thanMs: number): ageMs is number {
  return ageMs !== null && ageMs - thanMs >= 1000;
}
