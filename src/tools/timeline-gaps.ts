import { type Absence, gapMs, type HistoryPlace } from '../core/history.ts';
import type { Point, Span } from './timeline-points.ts';

/** Why there are no samples. */
export type GapReason = Absence | 'agentNotRunning' | 'nodeRebooted' | 'notSampled';

export interface Gap extends Span {
  readonly why: GapReason;
  /** It is somewhere in here, and this long. */
  readonly lostMs: number;
}

/**
 * The times without values inside of the window, after the first thing that is known of the GPU at all: what was before that
 * is no gap, but not known.
 *
 * @param nowWhy why there are none now, if there are none now
 */
export function gapsOf(points: readonly Point[], window: Span, intervalMs: number, nowWhy: GapReason): Gap[] {
  const [first] = points;
  if (!first) return [];
  const present = points.filter(({ coveredMs }) => coveredMs > 0);
  const holes = present.flatMap((point, at) => [
    ...before(points, present[at - 1], point, intervalMs),
    ...inside(point, intervalMs),
  ]);
  const endMs = present.at(-1)?.toMs ?? first.fromMs;
  const atEnd = { fromMs: endMs, toMs: window.toMs };
  const missed = window.toMs - endMs > gapMs(intervalMs) || present.length === 0;
  if (missed) holes.push(...byCause(points, atEnd, nowWhy));
  return holes.flatMap((hole) => clipped(hole, window));
}

function before(points: readonly Point[], last: Point | undefined, point: Point, intervalMs: number): Gap[] {
  const startMs = last?.toMs ?? points[0]?.fromMs ?? point.fromMs;
  if (point.fromMs - startMs <= 0.5 * intervalMs) return [];
  const hole = { fromMs: startMs, toMs: point.fromMs };
  return byCause(points, hole, last ? between(last.place, point.place) : 'notSampled');
}

/** Of a bin it is known only how much of it is missing. */
function inside({ fromMs, toMs, coveredMs, place }: Point, intervalMs: number): Gap[] {
  const lostMs = toMs - fromMs - coveredMs;
  return lostMs > gapMs(intervalMs) ? [{ fromMs, toMs, lostMs, why: place.absence ?? 'notSampled' }] : [];
}

function gap(span: Span, why: GapReason): Gap {
  return { ...span, lostMs: span.toMs - span.fromMs, why };
}

/** A GPU can be lost, and then its driver unloaded: each from when it was learned, what came first from the beginning. */
function byCause(points: readonly Point[], hole: Span, otherwise: GapReason): Gap[] {
  const learned = points.filter(
    ({ coveredMs, fromMs, toMs, place }) =>
      coveredMs === 0 && place.absence !== null && toMs > hole.fromMs && fromMs < hole.toMs,
  );
  const causes = learned.filter(({ place }, at) => place.absence !== learned[at - 1]?.place.absence);
  if (causes.length === 0) return [gap(hole, otherwise)];
  return causes.map(({ fromMs, place }, at) =>
    gap(
      { fromMs: at === 0 ? hole.fromMs : fromMs, toMs: causes[at + 1]?.fromMs ?? hole.toMs },
      place.absence ?? otherwise,
    ),
  );
}

function between(before: HistoryPlace, after: HistoryPlace): GapReason {
  if (before.life === after.life) return 'notSampled';
  return before.bootId !== after.bootId ? 'nodeRebooted' : 'agentNotRunning';
}

function clipped(hole: Gap, window: Span): Gap[] {
  const fromMs = Math.max(hole.fromMs, window.fromMs);
  const toMs = Math.min(hole.toMs, window.toMs);
  return toMs > fromMs ? [{ ...hole, fromMs, toMs, lostMs: Math.min(hole.lostMs, toMs - fromMs) }] : [];
}
