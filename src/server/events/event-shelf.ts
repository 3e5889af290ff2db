import type { GpuEvent } from '../../core/event.ts';
import { errorOf, fairShare } from './newest-of-each.ts';

/** More than a node prints in a bad hour; with them a flood of lines fills no memory. */
const keptAtMost = 2000;
const keptAfterDrop = 1750;
/** What is written down for a later life, in characters: a disk is given no more than it can be trusted with. */
const writtenAtMost = 2 ** 20;

/** Events by increasing numbers. Of too many the oldest of the most frequent errors go: a storm of one hides no other. */
export class EventShelf {
  #events: GpuEvent[];
  /** The greatest number of an event that is no longer here, or may have been missed. */
  #lostUpTo: number;

  constructor(events: readonly GpuEvent[], lostUpTo: number) {
    this.#events = [...events];
    this.#lostUpTo = lostUpTo;
  }

  get events(): readonly GpuEvent[] {
    return this.#events;
  }

  get lostUpTo(): number {
    return this.#lostUpTo;
  }

  add(event: GpuEvent): void {
    this.#events.push(event);
    if (this.#events.length > keptAtMost) this.#dropSome();
  }

  replace(known: GpuEvent, event: GpuEvent): void {
    const at = this.#events.indexOf(known);
    if (at >= 0) this.#events[at] = event;
  }

  lost(number: number): void {
    this.#lostUpTo = Math.max(this.#lostUpTo, number);
  }

  /** As many as fit, and up to which number others are missing. */
  written(): { readonly events: readonly GpuEvent[]; readonly lostUpTo: number } {
    const sizes = new Map(this.#events.map((event) => [event, JSON.stringify(event).length]));
    const sizeOf = (events: readonly GpuEvent[]) =>
      events.reduce((sum, event) => sum + (sizes.get(event) ?? 0), 0);
    let events: readonly GpuEvent[] = this.#events;
    while (events.length > 1 && sizeOf(events) > writtenAtMost)
      events = fairShare(events, errorOf, Math.floor(0.9 * events.length));
    return { events, lostUpTo: this.#lostWithout(events) };
  }

  /** Many at once, so that a storm is not counted anew with each event. */
  #dropSome(): void {
    const events = fairShare(this.#events, errorOf, keptAfterDrop);
    this.#lostUpTo = this.#lostWithout(events);
    this.#events = [...events];
  }

  #lostWithout(kept: readonly GpuEvent[]): number {
    const left = new Set(kept);
    return this.#events.reduce(
      (upTo, event) => (left.has(event) ? upTo : Math.max(upTo, event.number)),
      this.#lostUpTo,
    );
  }
}
