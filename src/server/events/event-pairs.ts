import type { EventSource, GpuEvent } from '../../core/event.ts';

/** The driver's event and the line about it: which comes first, and how late the other, nobody promises. */
const sameWithinMs = 10_000;

/** Xids that only one of the two sources has told of so far, and the other may. */
export class EventPairs {
  readonly #waiting = new Map<string, Told[]>();

  constructor(events: readonly GpuEvent[]) {
    for (const event of events) this.add(event, event.atMs);
  }

  /** @param toldAtMs when its source told of it, which is later than it happened where the agent or its node stood still */
  add(event: GpuEvent, toldAtMs: number | null): void {
    const { kind, origin, pciSlot, code, sources } = event;
    const [source, ...others] = sources;
    if (kind !== 'xid' || origin !== 'kernel' || pciSlot === null || toldAtMs === null) return;
    if (source === undefined || others.length > 0) return;
    const key = keyOf(pciSlot, code, source);
    const waiting = this.#waiting.get(key) ?? [];
    while (waiting[0] && !isNear(waiting[0], toldAtMs)) waiting.shift();
    waiting.push({ event, toldAtMs });
    this.#waiting.set(key, waiting);
  }

  /** Takes out the first event like this one that the other source told of about then. */
  take(pciSlot: string, code: number | null, toldAtMs: number, toldBy: EventSource): GpuEvent | undefined {
    const key = keyOf(pciSlot, code, toldBy);
    const waiting = this.#waiting.get(key) ?? [];
    const at = waiting.findIndex((told) => isNear(told, toldAtMs));
    if (at < 0) return undefined;
    const taken = waiting.splice(0, at + 1).at(-1);
    if (waiting.length === 0) this.#waiting.delete(key);
    return taken?.event;
  }
}

interface Told {
  readonly event: GpuEvent;
  readonly toldAtMs: number;
}

function keyOf(pciSlot: string, code: number | null, source: EventSource): string {
  return `${pciSlot} ${code} ${source}`;
}

function isNear(told: Told, atMs: number): boolean {
  return Math.abs(told.toldAtMs - atMs) <= sameWithinMs;
}
