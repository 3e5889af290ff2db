import { type Absence, gapMs, type HistoryPlace } from '../core/history.ts';
import type { Point, Span } from './timeline-points.ts';

/** Why there are no samples. */
export type GapReason = Absence | 'nodeRebooted' | 'notSampled';

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
  if (missed) holes.push(...byCause(points, atEnd, { last: present.at(-1) }, nowWhy));
  return holes.flatMap((hole) => clipped(hole, window));
}

function before(points: readonly Point[], last: Point | undefined, point: Point, intervalMs: number): Gap[] {
  const startMs = last?.toMs ?? points[0]?.fromMs ?? point.fromMs;
  if (point.fromMs - startMs <= 0.5 * intervalMs) return [];
  const hole = { fromMs: startMs, toMs: point.fromMs };
  return byCause(points, hole, { last, next: point }, last ? between(last.place, point.place) : 'notSampled');
}

/** Of a bin it is known only how much of it is missing. */
function inside({ fromMs, toMs, coveredMs, place }: Point, intervalMs: number): Gap[] {
  const lostMs = toMs - fromMs - coveredMs;
  return lostMs > gapMs(intervalMs) ? [{ fromMs, toMs, lostMs, why: place.absence ?? 'notSampled' }] : [];
}

function gap(span: Span, why: GapReason): Gap {
  return { ...span, lostMs: span.toMs - span.fromMs, why };
}

/** What was before a hole, and comes after it, with values. */
interface Ends {
  readonly last?: Point | undefined;
  readonly next?: Point | undefined;
}

interface Mark {
  readonly fromMs: number;
  readonly why: GapReason;
}

/** A GPU can be lost, then its driver unloaded, then its node rebooted: each from when it was learned, what came first from the beginning. */
function byCause(points: readonly Point[], hole: Span, ends: Ends, otherwise: GapReason): Gap[] {
  const learned = points.filter(
    ({ coveredMs, fromMs, toMs, place }) =>
      coveredMs === 0 && place.absence !== null && toMs > hole.fromMs && fromMs < hole.toMs,
  );
  const marks = marksOf(learned, ends).filter(({ why }, at, all) => why !== all[at - 1]?.why);
  if (marks.length === 0) return [gap(hole, otherwise)];
  return marks.map(({ fromMs, why }, at) =>
    gap({ fromMs: at === 0 ? hole.fromMs : fromMs, toMs: marks[at + 1]?.fromMs ?? hole.toMs }, why),
  );
}

/** What one life of the agent has learned says nothing of the time until the next one begins. */
function marksOf(learned: readonly Point[], { last, next }: Ends): Mark[] {
  const marks = learned.flatMap((point, at): Mark[] => [
    ...awayBetween(at === 0 ? last : learned[at - 1], point),
    { fromMs: point.fromMs, why: point.place.absence ?? 'notSampled' },
  ]);
  return [...marks, ...awayBetween(learned.at(-1), next)];
}

function awayBetween(before: Point | undefined, after: Point | undefined): Mark[] {
  if (!before || !after || before.place.life === after.place.life) return [];
  return [{ fromMs: before.toMs, why: between(before.place, after.place) }];
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
