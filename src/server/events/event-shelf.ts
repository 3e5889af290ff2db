import type { GpuEvent } from '../../core/event.ts';
import type { KeptEvents } from './kept-events.ts';
import { errorOf, fairShare } from './newest-of-each.ts';

/** More than a node prints in a bad hour; with them a flood of lines fills no memory. */
const keptAtMost = 2000;
const keptAfterDrop = 1750;
/** What is written down for a later life, in characters: a disk is given no more than it can be trusted with. */
const writtenAtMost = 2 ** 20;

/** What is no longer here, or may have been missed. */
export interface Lost {
  /** The greatest number of it; 0 for none. */
  readonly upTo: number;
  /** Unix time: nothing that happened after it is lost. Null where that is not known. */
  readonly beforeMs: number | null;
}

/** Events by increasing numbers. Of too many the oldest of the most frequent errors go: a storm of one hides no other. */
export class EventShelf {
  #events: GpuEvent[];
  #lost: Lost;
  readonly #nowMs: () => number;

  constructor(events: readonly GpuEvent[], lost: Lost, nowMs: () => number) {
    this.#events = [...events];
    this.#lost = lost;
    this.#nowMs = nowMs;
  }

  get events(): readonly GpuEvent[] {
    return this.#events;
  }

  get lost(): Lost {
    return this.#lost;
  }

  add(event: GpuEvent): void {
    this.#events.push(event);
    if (this.#events.length > keptAtMost) this.#dropSome();
  }

  replace(known: GpuEvent, event: GpuEvent): void {
    const at = this.#events.indexOf(known);
    if (at >= 0) this.#events[at] = event;
  }

  missed(number: number): void {
    this.#lost = { upTo: number, beforeMs: this.#nowMs() };
  }

  /** As many as fit, and which others are missing then. */
  written(): Pick<KeptEvents, 'events' | 'lostUpTo' | 'lostBeforeMs'> {
    const sizes = new Map(this.#events.map((event) => [event, JSON.stringify(event).length]));
    const sizeOf = (events: readonly GpuEvent[]) =>
      events.reduce((sum, event) => sum + (sizes.get(event) ?? 0), 0);
    let events: readonly GpuEvent[] = this.#events;
    while (events.length > 1 && sizeOf(events) > writtenAtMost)
      events = fairShare(events, errorOf, Math.floor(0.9 * events.length));
    const { upTo, beforeMs } = this.#lostWithout(events);
    return { events, lostUpTo: upTo, lostBeforeMs: beforeMs };
  }

  /** Many at once, so that a storm is not counted anew with each event. */
  #dropSome(): void {
    const events = fairShare(this.#events, errorOf, keptAfterDrop);
    this.#lost = this.#lostWithout(events);
    this.#events = [...events];
  }

  #lostWithout(kept: readonly GpuEvent[]): Lost {
    const left = new Set(kept);
    const newest = this.#events.findLast((event) => !left.has(event));
    if (!newest) return this.#lost;
    return { upTo: Math.max(this.#lost.upTo, newest.number), beforeMs: this.#nowMs() };
  }
}
