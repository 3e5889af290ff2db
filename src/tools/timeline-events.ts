import type { GpuEvent } from '../core/event.ts';
import type { GpuState } from '../core/snapshot.ts';
import { severities } from '../diagnose/xid.ts';
import { type Run, runsOf } from './event-burst.ts';
import { eventRowOf } from './event-row.ts';
import type { Span } from './timeline-points.ts';
import type { TimelineEvent } from './timeline-shape.ts';

/** Those that can be put on the axis of a window: their times are told, and none is after its end. */
export function eventsIn({ fromMs, toMs }: Span, events: readonly GpuEvent[]): GpuEvent[] {
  return events.flatMap((event) => {
    if (event.atMs === null || event.atMs < fromMs) return [];
    return { ...event, atMs: Math.round(Math.min(event.atMs, toMs)) }; // a clock set back leaves dates after now
  });
}

/** Whoever may write to /dev/kmsg can make up an event: of these a few are shown, and none counts. */
export function isProven({ origin }: Pick<TimelineEvent, 'origin'>): boolean {
  return origin !== 'userSpace';
}

export interface ToldEvents {
  /** Oldest first. */
  readonly events: TimelineEvent[];
  /** How many events are not among them, those of user space by themselves. */
  readonly omitted: { readonly events: number; readonly userSpaceEvents: number };
}

const unprovenAtMost = 4;

/**
 * Repeats of one error as one. Of many, the newest and the worst: what ended a GPU is followed by a storm of what came of it.
 *
 * @param atMost of those that count
 */
export function toldEvents(
  events: readonly GpuEvent[],
  gpus: readonly GpuState[],
  atMost: number,
): ToldEvents {
  const runs = runsOf(events.map((event) => eventRowOf(event, gpus))).sort(oldestFirst);
  const proven = runs.filter(({ event }) => isProven(event));
  const unproven = runs.filter((run) => !proven.includes(run));
  const newest = proven.slice(-Math.ceil(atMost / 2));
  const older = proven.slice(0, -newest.length).sort(worstFirst);
  const told = [...newest, ...older.slice(0, atMost - newest.length)];
  const doubtful = unproven.slice(-unprovenAtMost);
  return {
    events: [...told, ...doubtful].sort(oldestFirst).map(timelineEventOf),
    omitted: {
      events: numberOf(proven) - numberOf(told),
      userSpaceEvents: numberOf(unproven) - numberOf(doubtful),
    },
  };
}

/** The worst that counts, and of several the newest; undefined where none counts. */
export function worstEvent(events: readonly TimelineEvent[]): TimelineEvent | undefined {
  return events
    .filter(isProven)
    .reduce<TimelineEvent | undefined>(
      (worst, event) => (worst && gravity(worst) > gravity(event) ? worst : event),
      undefined,
    );
}

function oldestFirst(a: Run, b: Run): number {
  return (a.lastAtMs ?? 0) - (b.lastAtMs ?? 0) || a.event.number - b.event.number;
}

function worstFirst(a: Run, b: Run): number {
  return gravity(b.event) - gravity(a.event) || oldestFirst(b, a);
}

function gravity({ severity }: Pick<TimelineEvent, 'severity'>): number {
  return (severities as readonly string[]).indexOf(severity);
}

export function numberOf(runs: readonly { readonly count: number }[]): number {
  return runs.reduce((sum, run) => sum + run.count, 0);
}

function timelineEventOf({ count, firstAtMs, event }: Run): TimelineEvent {
  const { number, atMs, kind, code, name, severity, origin, message, pciSlot } = event;
  return { number, count, firstAtMs, atMs, kind, code, name, severity, origin, message, pciSlot };
}

/** Of no GPU that is known. */
export function nodeEventsOf({ events, omitted }: ToldEvents) {
  return { nodeEvents: events, nodeEventsOmitted: omitted.events };
}
