import type { GpuReadings } from '../core/gpu.ts';
import { clocksReasons, type SeriesName, seriesNames } from '../core/history.ts';
import type { ClocksEventReason } from '../core/power-readings.ts';
import { type Missing, map, type Reading } from '../core/reading.ts';
import type { Point, Span } from './timeline-points.ts';

/** What a value is held against, and on which side of it there is trouble. */
interface Threshold {
  readonly what: string;
  readonly series: SeriesName;
  readonly beyond: 'above' | 'below';
  of(readings: GpuReadings): Reading<number>;
}

const memoryFull = 0.95;

/**
 * The thresholds are the board's own, the worst first. Power has none: a busy GPU is at its limit as a rule, and how long that held it back
 * is told by `swPowerCap`.
 */
const thresholds: readonly Threshold[] = [
  {
    what: 'shutdown temperature',
    series: 'temperatureC',
    beyond: 'above',
    of: ({ shutdownTemperatureC }) => shutdownTemperatureC,
  },
  {
    what: 'slowdown temperature',
    series: 'temperatureC',
    beyond: 'above',
    of: ({ slowdownTemperatureC }) => slowdownTemperatureC,
  },
  {
    what: 'shutdown margin',
    series: 'temperatureMarginC',
    beyond: 'below',
    of: ({ shutdownMarginC }) => shutdownMarginC,
  },
  {
    what: 'slowdown margin',
    series: 'temperatureMarginC',
    beyond: 'below',
    of: ({ slowdownMarginC }) => slowdownMarginC,
  },
  {
    what: 'highest temperature of the memory',
    series: 'memoryTemperatureC',
    beyond: 'above',
    of: ({ maxMemoryTemperatureC }) => maxMemoryTemperatureC,
  },
  {
    what: '95 % of the memory',
    series: 'memoryUsedBytes',
    beyond: 'above',
    of: ({ memory }) =>
      map(memory, ({ totalBytes, reservedBytes }) => memoryFull * (totalBytes - (reservedBytes ?? 0))),
  },
];

/** The first is the worst to be beyond; those of another version come last. */
export function gravityOf(what: string): number {
  const place = thresholds.findIndex((threshold) => threshold.what === what);
  return place < 0 ? thresholds.length : place;
}

/** Full memory is as a rule what a program means to do. */
export const harmless: ReadonlySet<string> = new Set(['95 % of the memory']);

export interface Crossing extends Span {
  readonly what: string;
  readonly series: SeriesName;
  readonly threshold: number;
  /** The value that was farthest beyond it. */
  readonly peak: number;
  /** False where it is known only that it was so at some time within these minutes. */
  readonly exact: boolean;
}

export interface Crossings {
  readonly crossings: readonly Crossing[];
  /** What could not be looked at: threshold → why it is not known. */
  readonly unchecked: Readonly<Record<string, Missing>>;
}

export function crossingsOf(points: readonly Point[], readings: GpuReadings): Crossings {
  const crossings: Crossing[] = [];
  const unchecked: Record<string, Missing> = {};
  for (const each of thresholds) {
    const threshold = each.of(readings);
    if ('missing' in threshold) unchecked[each.what] = threshold.missing;
    else crossings.push(...crossingsOver(points, each, threshold.value));
  }
  return { crossings: crossings.sort((a, b) => a.fromMs - b.fromMs), unchecked };
}

function crossingsOver(points: readonly Point[], kind: Threshold, threshold: number): Crossing[] {
  const { what, series, beyond } = kind;
  const found: Crossing[] = [];
  for (const { fromMs, toMs, exact, ...point } of points) {
    const peak = peakBeyond(point, kind, threshold);
    if (peak === null) continue;
    const last = found.at(-1);
    if (last && fromMs - last.toMs < 1)
      found[found.length - 1] = drawnOut(last, { toMs, peak, exact }, beyond);
    else found.push({ fromMs, toMs, what, series, threshold, peak, exact });
  }
  return found;
}

/** Null where the point does not reach the threshold, or has no value. */
function peakBeyond(
  { min, max }: Pick<Point, 'min' | 'max'>,
  { series, beyond }: Threshold,
  threshold: number,
): number | null {
  const place = seriesNames.indexOf(series);
  const peak = (beyond === 'above' ? max : min)[place] ?? null;
  if (peak === null) return null;
  return (beyond === 'above' ? peak >= threshold : peak <= threshold) ? peak : null;
}

function drawnOut(
  crossing: Crossing,
  { toMs, peak, exact }: Pick<Crossing, 'toMs' | 'peak' | 'exact'>,
  beyond: Threshold['beyond'],
): Crossing {
  const farthest = beyond === 'above' ? Math.max : Math.min;
  return { ...crossing, toMs, peak: farthest(crossing.peak, peak), exact: exact && crossing.exact };
}

/** What does not hold clocks down, but says why they are as they are. */
const notHeldDown: ReadonlySet<ClocksEventReason> = new Set([
  'gpuIdle',
  'applicationsClocksSetting',
  'displayClockSetting',
]);

export interface Throttle extends Span {
  readonly reason: ClocksEventReason;
  /** How much of the time from the first to the last sample in which it was so. */
  readonly heldMs: number;
}

/** When each reason held the clocks down. Times that are no farther apart than `mergeMs` are told as one. */
export function throttlesOf(points: readonly Point[], mergeMs: number): Throttle[] {
  return clocksReasons
    .flatMap((reason, place) => (notHeldDown.has(reason) ? [] : throttlesBy(points, reason, place, mergeMs)))
    .sort((a, b) => a.fromMs - b.fromMs);
}

function throttlesBy(
  points: readonly Point[],
  reason: ClocksEventReason,
  place: number,
  mergeMs: number,
): Throttle[] {
  const found: Throttle[] = [];
  for (const { fromMs, toMs, heldMs } of points) {
    const held = heldMs?.[place] ?? 0;
    if (held === 0) continue;
    const last = found.at(-1);
    if (last && fromMs - last.toMs <= mergeMs)
      found[found.length - 1] = { ...last, toMs, heldMs: last.heldMs + held };
    else found.push({ reason, fromMs, toMs, heldMs: held });
  }
  return found;
}

/** For how long each reason held in all, and for how long that is known; idleness included. */
export function heldOf(points: readonly Point[]): Record<string, number> {
  const totals = clocksReasons.map((reason, place) => {
    const heldMs = points.reduce((sum, point) => sum + (point.heldMs?.[place] ?? 0), 0);
    return [reason, Math.round(heldMs)] as const;
  });
  return Object.fromEntries(totals.filter(([, heldMs]) => heldMs > 0));
}
