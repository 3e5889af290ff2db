import {
  clocksReasons,
  type GpuHistory,
  gapMs,
  type HistoryBin,
  type HistoryPlace,
  type HistoryRow,
  type Moment,
} from '../core/history.ts';

export interface Span {
  /** Unix time in ms, by the node's clock as it is now. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A sample or a bin as a stretch of the axis: it stands for the time since the one before. */
export interface Point extends Span {
  readonly row: number;
  readonly count: number;
  /** How much of the stretch has values; 0 where there are none. */
  readonly coveredMs: number;
  /** Of one sample; else of up to five minutes. */
  readonly exact: boolean;
  readonly min: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** By `clocksReasons`; null where they are not known. */
  readonly heldMs: readonly number[] | null;
  readonly place: HistoryPlace;
}

/**
 * What is known of a GPU in a window, oldest first: the last point before it, too, where there is one. Bins stand for what
 * is older than the oldest sample.
 */
export function pointsOf(history: GpuHistory, gpuKey: string, { fromMs, toMs }: Span, now: Moment): Point[] {
  const { rows, before } = history.rows({ gpuKey, fromMs, toMs });
  const samples = before ? [before, ...rows] : rows;
  const [oldest] = samples;
  const older = before
    ? []
    : history.bins({ gpuKey, toMs }).filter((bin) => !oldest || startsBefore(bin, oldest));
  const binned = older.at(-1)?.row ?? 0;
  const intervalOf = intervalsOf(samples, history);
  const points: Point[] = [];
  for (const bin of older) points.push(pointOfBin(bin, points.at(-1), history.intervalMs, now));
  for (const row of samples)
    if (row.row > binned) points.push(pointOfRow(row, points.at(-1), intervalOf(row.life), now));
  const first = points.findIndex((point) => point.toMs > fromMs);
  return first < 0 ? points.slice(-1) : points.slice(Math.max(0, first - 1));
}

/** More is no interval at which somebody samples. */
const longestIntervalMs = 60_000;

/** An earlier life of the agent may have sampled more rarely than this one does: as rarely as half of its rows say. */
function intervalsOf(
  rows: readonly HistoryRow[],
  { intervalMs, life: present }: GpuHistory,
): (life: number) => number {
  const steps = new Map<number, number[]>();
  rows.forEach((row, at) => {
    const last = rows[at - 1];
    if (!last || row.life === present || last.life !== row.life) return;
    const own = steps.get(row.life) ?? [];
    own.push(row.monotonicMs - last.monotonicMs);
    steps.set(row.life, own);
  });
  const medians = [...steps].map(([life, all]): [number, number] => {
    const median = all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? intervalMs;
    return [life, Math.max(intervalMs, Math.min(median, longestIntervalMs))];
  });
  const known = new Map(medians);
  return (life) => known.get(life) ?? intervalMs;
}

function startsBefore(bin: HistoryBin, { row }: HistoryRow): boolean {
  return bin.row - bin.count + 1 < row;
}

function pointOfRow(row: HistoryRow, last: Point | undefined, intervalMs: number, now: Moment): Point {
  const span = spanOf(row, axisMs(row, now), last, intervalMs);
  const { values, reasons } = row;
  const lengthMs = span.toMs - span.fromMs;
  return {
    ...span,
    row: row.row,
    count: 1,
    coveredMs: row.absence === null ? lengthMs : 0,
    exact: true,
    min: values,
    mean: values,
    max: values,
    heldMs: reasons && clocksReasons.map((reason) => (reasons.includes(reason) ? lengthMs : 0)),
    place: row,
  };
}

function pointOfBin(bin: HistoryBin, last: Point | undefined, intervalMs: number, now: Moment): Point {
  const first = spanOf(bin, axisMs(bin, now), last, intervalMs);
  return {
    fromMs: first.fromMs,
    toMs: first.toMs + bin.endMonotonicMs - bin.monotonicMs,
    row: bin.row,
    count: bin.count,
    coveredMs: bin.coveredMs,
    exact: false,
    min: bin.min,
    mean: bin.mean,
    max: bin.max,
    heldMs: bin.heldMs,
    // Of its last sample: what comes next is measured from there.
    place: { ...bin, monotonicMs: bin.endMonotonicMs },
  };
}

/** In this boot by the time since then, whatever the clock said at the time. */
function axisMs({ atMs, monotonicMs, bootId }: Moment, now: Moment): number {
  return bootId !== null && bootId === now.bootId ? now.atMs - (now.monotonicMs - monotonicMs) : atMs;
}

function spanOf(place: HistoryPlace, toMs: number, last: Point | undefined, intervalMs: number): Span {
  if (!last) return { fromMs: toMs - intervalMs, toMs };
  const oneClock =
    last.place.life === place.life || (place.bootId !== null && last.place.bootId === place.bootId);
  const sinceMs = oneClock ? place.monotonicMs - last.place.monotonicMs : toMs - last.toMs;
  const goesOn = sinceMs > 0 && sinceMs <= gapMs(intervalMs);
  return { fromMs: toMs - (goesOn ? sinceMs : intervalMs), toMs };
}

/** How long a point is inside of a span; for a point of many samples, as far as it has values. */
export function weightIn(point: Point, { fromMs, toMs }: Span): number {
  const insideMs = Math.min(point.toMs, toMs) - Math.max(point.fromMs, fromMs);
  const lengthMs = point.toMs - point.fromMs;
  return insideMs <= 0 || lengthMs <= 0 ? 0 : (insideMs * Math.min(point.coveredMs, lengthMs)) / lengthMs;
}

/** Where somebody set the clock: between two samples it went otherwise than the time. */
export interface ClockJump {
  readonly atMs: number;
  readonly byMs: number;
}

const jumpMs = 2000;

export function clockJumpsOf(points: readonly Point[], now: Moment): ClockJump[] {
  const offsets = points
    .filter(({ place }) => place.bootId !== null && place.bootId === now.bootId)
    .map(({ place, toMs, exact }) => ({ toMs, offsetMs: exact ? place.atMs - toMs : null }));
  return offsets.flatMap(({ toMs, offsetMs }, at) => {
    const before = offsets[at - 1]?.offsetMs ?? null;
    if (offsetMs === null || before === null || Math.abs(offsetMs - before) <= jumpMs) return [];
    return [{ atMs: toMs, byMs: Math.round(offsetMs - before) }];
  });
}
