import type { GpuEvent } from '../core/event.ts';
import {
  type GpuHistory,
  gapMs,
  historyKey,
  type Moment,
  type SeriesName,
  seriesNames,
  seriesTable,
} from '../core/history.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { slotOf } from './event-row.ts';
import { changeOf, increaseOf, meanOf, quantileOf } from './statistics.ts';
import {
  type Columns,
  columnMeans,
  columnRows,
  columnsAt,
  columnsOf,
  slowdowns,
  slowedColumns,
} from './timeline-columns.ts';
import { eventsIn, isProven, type ToldEvents, toldEvents } from './timeline-events.ts';
import { type GapReason, gapsOf } from './timeline-gaps.ts';
import { crossingsOf, harmless, heldOf, throttlesOf } from './timeline-marks.ts';
import { clockJumpsOf, type Point, pointsOf, type Span, weightIn } from './timeline-points.ts';
import type { GpuTimeline, SeriesAnswer } from './timeline-shape.ts';

export interface Wanted {
  readonly window: Span;
  readonly series: readonly SeriesName[];
  /** Of a sparkline, at most. */
  readonly columns: number;
}

export interface Known {
  readonly history: GpuHistory;
  readonly now: Moment;
  readonly events: readonly GpuEvent[];
  readonly gpus: readonly GpuState[];
  /** False also while it is being opened. */
  readonly driverIsWell: boolean;
  /** Why there are no samples now, of a GPU that is in no trouble of its own. */
  readonly nowWhy: GapReason;
}

const listedAtMost = { gaps: 12, crossings: 12, throttles: 24, clockJumps: 4 } as const;
const eventsAtMost = 24;
/** What should never grow: told whichever series were asked for. */
const errorCounters = ['eccCorrectedVolatile', 'eccUncorrectedVolatile', 'pcieReplays'] as const;

/** All that is known of one GPU in a window. */
export function timelineOf(gpu: GpuState, wanted: Wanted, known: Known): GpuTimeline {
  const { readings, trouble } = gpu;
  const { history, now } = known;
  const key = historyKey(gpu);
  const all = key === null ? [] : pointsOf(history, key, wanted.window, now);
  const points = all.filter((point) => weightIn(point, wanted.window) > 0);
  const columns = columnsFor(points, wanted, history);
  const happened = eventsOf(gpu, wanted.window, known.events);
  const { crossings, unchecked } = crossingsOf(points, readings);
  const lists = {
    gaps: gapsOf(all, wanted.window, history.intervalMs, nowWhyOf(gpu, known)),
    crossings: crossings.map((each) => ({
      ...each,
      unit: seriesTable[each.series].unit,
      harmless: harmless.has(each.what),
    })),
    throttles: throttlesOf(points, columns.columnMs).map((each) => ({
      ...each,
      slowdown: slowdowns.includes(each.reason),
    })),
    clockJumps: clockJumpsOf(points, now),
  };
  return {
    index: gpu.index,
    name: orNull(readings.name),
    uuid: orNull(readings.uuid),
    pciAddress: orNull(readings.pciAddress),
    trouble: trouble?.kind ?? null,
    ...coverage(points, wanted.window),
    columnMs: Math.round(columns.columnMs),
    numbering: history.numbering,
    rows: columnRows(points, columns),
    newestRow: all.at(-1)?.row ?? 0,
    ...seriesIn(points, columns, wanted, { gpu, known }),
    unchecked,
    heldMs: heldOf(points),
    slowed: slowedColumns(points, columns),
    errors: errorsIn(points),
    happened: columnsAt(
      happened.filter(isProven).flatMap(({ atMs }) => atMs ?? []),
      columns,
    ),
    ...newest(lists, toldEvents(happened, known.gpus, eventsAtMost)),
  };
}

/** Why there are no samples of it now, if there are none. */
function nowWhyOf({ trouble, tookMs = 0 }: GpuState, { history, nowWhy }: Known): GapReason {
  const isSlow = nowWhy === 'notSampled' && tookMs > gapMs(history.intervalMs);
  return trouble?.kind ?? (isSlow ? 'slow' : nowWhy);
}

/** From where there is something to show, to the last sample, unless the next one is overdue. */
function columnsFor(
  points: readonly Point[],
  { window, columns }: Wanted,
  { intervalMs }: GpuHistory,
): Columns {
  const fromMs = Math.max(window.fromMs, points[0]?.fromMs ?? window.fromMs);
  const lastMs = points.at(-1)?.toMs ?? window.fromMs;
  const toMs = window.toMs - lastMs > gapMs(intervalMs) ? window.toMs : Math.min(lastMs, window.toMs);
  return columnsOf({ fromMs, toMs }, intervalMs, columns);
}

function coverage(points: readonly Point[], window: Span): Pick<GpuTimeline, 'covered' | 'resolution'> {
  const [first] = points;
  const last = points.at(-1);
  const kinds = new Set(points.map(({ exact }) => exact));
  const resolution = kinds.size === 2 ? 'both' : kinds.has(false) ? 'bins' : 'samples';
  if (!first || !last) return { covered: null, resolution };
  return {
    covered: {
      fromMs: Math.round(Math.max(first.fromMs, window.fromMs)),
      toMs: Math.round(Math.min(last.toMs, window.toMs)),
      coveredMs: Math.round(points.reduce((sum, point) => sum + weightIn(point, window), 0)),
      samples: points.reduce((sum, { count }) => sum + count, 0),
    },
    resolution,
  };
}

function seriesIn(
  points: readonly Point[],
  columns: Columns,
  { series, window }: Wanted,
  { gpu, known }: { readonly gpu: GpuState; readonly known: Known },
): Pick<GpuTimeline, 'series' | 'missing'> {
  const untilNow = known.now.atMs - window.toMs <= gapMs(known.history.intervalMs);
  const isSampled = untilNow && nowWhyOf(gpu, known) === 'notSampled';
  const answers: SeriesAnswer[] = [];
  const missing: Record<string, string> = {};
  for (const name of series) {
    const answer = seriesOf(name, points, columns, window);
    const reading = seriesTable[name].of(gpu);
    const why = 'missing' in reading ? reading.missing : null;
    const ended = isSampled && answer?.points.at(-1) === null;
    if (answer) answers.push({ ...answer, ...(ended && why && { missingNow: why }) });
    else missing[name] = why ?? 'notSampled';
  }
  return { series: answers, missing };
}

function seriesOf(
  name: SeriesName,
  points: readonly Point[],
  columns: Columns,
  window: Span,
): SeriesAnswer | null {
  const place = seriesNames.indexOf(name);
  const { unit, kind } = seriesTable[name];
  const spans = points.flatMap((point) => {
    const [min, mean, max] = [point.min[place], point.mean[place], point.max[place]];
    if (typeof min !== 'number' || typeof mean !== 'number' || typeof max !== 'number') return [];
    return [{ min, max, value: mean, weight: weightIn(point, window) }];
  });
  const [first] = spans;
  const last = spans.at(-1);
  const mean = meanOf(spans);
  const p95 = quantileOf(spans, 0.95);
  if (!first || !last || mean === null || p95 === null) return null;
  const change = changeOf(spans);
  return {
    name,
    unit,
    kind,
    min: rounded(Math.min(...spans.map(({ min }) => min))),
    mean: rounded(mean),
    max: rounded(Math.max(...spans.map(({ max }) => max))),
    p95: rounded(p95),
    first: rounded(first.value),
    last: rounded(last.value),
    change: change === null ? null : rounded(change, 4),
    increase: kind === 'counter' ? rounded(increaseOf(spans)) : null,
    points: columnMeans(points, place, columns).map((value) => value && rounded(value, 4)),
  };
}

function errorsIn(points: readonly Point[]): Record<string, number> {
  const grown = errorCounters.map((name) => {
    const place = seriesNames.indexOf(name);
    const spans = points.flatMap((point) => {
      const [min, max] = [point.min[place], point.max[place]];
      return typeof min === 'number' && typeof max === 'number' ? [{ min, max }] : [];
    });
    return [name, increaseOf(spans)] as const;
  });
  return Object.fromEntries(grown.filter(([, increase]) => increase > 0));
}

/** Its own; those that the log does not date cannot be put on an axis. */
function eventsOf(gpu: GpuState, window: Span, events: readonly GpuEvent[]): GpuEvent[] {
  const slot = slotOf(gpu);
  if (slot === null) return [];
  const own = events.filter(({ pciSlot }) => pciSlot === slot);
  return eventsIn(window, own);
}

type Lists = Pick<GpuTimeline, keyof typeof listedAtMost>;

/** Of each list the newest, with whole milliseconds, and how many there are besides those and the events that are told. */
function newest(
  lists: Lists,
  { events, omitted: otherEvents }: ToldEvents,
): Lists & Pick<GpuTimeline, 'events' | 'omitted'> {
  const names = Object.keys(listedAtMost) as (keyof Lists)[];
  const omitted = names.map((name) => [name, Math.max(0, lists[name].length - listedAtMost[name])] as const);
  const kept = names.map((name) => [name, lists[name].slice(-listedAtMost[name]).map(inWholeMs)] as const);
  return {
    ...(Object.fromEntries(kept) as unknown as Lists),
    events,
    omitted: Object.fromEntries(
      [...omitted, ...Object.entries(otherEvents)].filter(([, number]) => number > 0),
    ),
  };
}

function inWholeMs<T extends object>(each: T): T {
  return Object.fromEntries(
    Object.entries(each).map(([key, value]) => [
      key,
      key.endsWith('Ms') && typeof value === 'number' ? Math.round(value) : value,
    ]),
  ) as T;
}

/** Whole numbers, such as bytes, stay as they are. */
function rounded(value: number, digits = 7): number {
  return digits >= 7 && Number.isInteger(value) ? value : Number(value.toPrecision(digits));
}
