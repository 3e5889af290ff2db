import type { GpuEvent } from '../../core/event.ts';

/** More than a node prints in a bad hour; with them a flood of lines fills no memory. */
const keptAtMost = 2000;
/** What is written down for a later life, in characters: a disk is given no more than it can be trusted with. */
const writtenAtMost = 2 ** 20;

/** Events by increasing numbers. Of too many the oldest of the most frequent kind go: a storm of one kind hides no other. */
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

  /** The newest that fit, and up to which number the others are missing. */
  written(): { readonly events: readonly GpuEvent[]; readonly lostUpTo: number } {
    let room = writtenAtMost;
    const from = this.#events.findLastIndex((event) => {
      room -= JSON.stringify(event).length;
      return room < 0;
    });
    const lostUpTo = Math.max(this.#lostUpTo, this.#events[from]?.number ?? 0);
    return { events: this.#events.slice(from + 1), lostUpTo };
  }

  #dropSome(): void {
    const counts = new Map<string, number>();
    for (const event of this.#events) counts.set(kindOf(event), (counts.get(kindOf(event)) ?? 0) + 1);
    const [[most, count] = ['', 0]] = [...counts].sort(([, a], [, b]) => b - a);
    let left = Math.ceil(count / 2);
    this.#events = this.#events.filter((event) => {
      if (left === 0 || kindOf(event) !== most) return true;
      left--;
      this.#lostUpTo = Math.max(this.#lostUpTo, event.number);
      return false;
    });
  }
}

/**
 * A program can write whatever it likes: what it wrote takes no room from what the kernel says. Nor do errors that the bus
 * corrects, which come by the thousand, from those that it does not.
 */
export function kindOf({ kind, origin, details }: Pick<GpuEvent, 'kind' | 'origin' | 'details'>): string {
  return `${kind} ${origin}${details.corrected ? ' corrected' : ''}`;
}
