import type { EventSource, GpuEvent } from '../../core/event.ts';

/** The driver's event and the line about it: which comes first, and how late the other, nobody promises. */
const sameWithinMs = 10_000;

/** Xids that only one of the two sources has told of so far, and the other may. */
export class EventPairs {
  readonly #waiting = new Map<string, GpuEvent[]>();

  constructor(events: readonly GpuEvent[]) {
    for (const event of events) this.add(event);
  }

  add(event: GpuEvent): void {
    const { kind, origin, pciSlot, code, sources, atMs } = event;
    const [source, ...others] = sources;
    if (kind !== 'xid' || origin !== 'kernel' || pciSlot === null || atMs === null) return;
    if (source === undefined || others.length > 0) return;
    const key = keyOf(pciSlot, code, source);
    const waiting = this.#waiting.get(key) ?? [];
    while (waiting[0] && !isNear(waiting[0], atMs)) waiting.shift();
    waiting.push(event);
    this.#waiting.set(key, waiting);
  }

  /** Takes out the first event like this one that the other source told of about then. */
  take(pciSlot: string, code: number | null, atMs: number, toldBy: EventSource): GpuEvent | undefined {
    const key = keyOf(pciSlot, code, toldBy);
    const waiting = this.#waiting.get(key) ?? [];
    const at = waiting.findIndex((event) => isNear(event, atMs));
    if (at < 0) return undefined;
    const taken = waiting.splice(0, at + 1).at(-1);
    if (waiting.length === 0) this.#waiting.delete(key);
    return taken;
  }
}

function keyOf(pciSlot: string, code: number | null, source: EventSource): string {
  return `${pciSlot} ${code} ${source}`;
}

function isNear(event: GpuEvent, atMs: number): boolean {
  return event.atMs !== null && Math.abs(event.atMs - atMs) <= sameWithinMs;
}
