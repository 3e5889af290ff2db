import { createHash, randomBytes } from 'node:crypto';

import type { EventLog, EventPage, EventSource, GpuEvent } from '../../core/event.ts';
import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';
import { explainXid } from '../../diagnose/xid.ts';
import { EventPairs } from './event-pairs.ts';
import { EventShelf, kindOf } from './event-shelf.ts';
import type { LineEvent } from './gpu-lines.ts';
import { type KeptEvents, keptEvents } from './kept-events.ts';

/** An Xid of the driver's own event set. */
export interface DriverEvent {
  readonly pciSlot: string | null;
  readonly xid: number;
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
}

export interface EventBookOptions {
  readonly bootId: string | null;
  /** Unix time. Source: /proc/stat, btime */
  readonly bootedAtMs: number;
  /** Unix time. */
  readonly nowMs: () => number;
  /** What `toJSON` gave in an earlier life; anything else is as nothing. */
  readonly kept?: unknown;
}

/** Of a log full of lines of one kind the newest are looked at. */
const linesOfKindAtMost = 4000;

type Sources = EventLog['sources'];
/** With the newest number, and the events that are new. */
type EventListener = (newest: number, told: readonly GpuEvent[]) => void;

/**
 * The events of a node, each once: whichever source saw it first, however often its log is read, and after a restart
 * that kept the book.
 */
export class EventBook implements EventLog {
  readonly #options: EventBookOptions;
  readonly #listeners = new Set<EventListener>();
  /** Numbers count within one numbering; whoever kept no book begins another. */
  readonly #numbering: string;
  readonly #shelf: EventShelf;
  readonly #pairs: EventPairs;
  #next: number;
  /** How often each line of this boot has been seen in the log, by its identity. */
  #seen: ReadonlyMap<string, number>;
  /** False until the log of this boot was read once: what it had then is dated by the time since boot. */
  #readBefore: boolean;
  /** When an earlier life knew the log last; null once this one has read it. */
  #knownUntilMs: number | null;
  /** Unix time of the kernel's second 0, by the newest line that was read soon after it was printed. */
  #printedZeroMs: number;
  #sources: Sources = {
    kernelLog: { readable: false, reason: 'not read yet' },
    nvml: {
      readable: false,
      reason: 'nobody listens yet, and an agent that is started for one call never does',
    },
  };

  constructor(options: EventBookOptions) {
    this.#options = options;
    const kept = keptEvents.safeParse(options.kept).data ?? newBook();
    const sameBoot = kept.bootId !== null && kept.bootId === options.bootId;
    this.#numbering = kept.numbering;
    this.#shelf = new EventShelf(kept.events, kept.lostUpTo ?? (kept.events[0]?.number ?? kept.next) - 1);
    this.#pairs = new EventPairs(kept.events);
    this.#next = kept.next;
    this.#seen = new Map(sameBoot ? kept.seen : []);
    this.#readBefore = sameBoot && kept.readBefore;
    this.#knownUntilMs = sameBoot ? (kept.keptAtMs ?? options.bootedAtMs) : null;
    this.#printedZeroMs = (sameBoot ? kept.printedZeroMs : undefined) ?? options.bootedAtMs;
  }

  get sources(): Sources {
    return this.#sources;
  }

  get newest(): number {
    return this.#next - 1;
  }

  /** Called once for each batch of new events. */
  onEvents(listener: EventListener): void {
    this.#listeners.add(listener);
  }

  source(name: EventSource, reason: string | null): void {
    this.#sources = { ...this.#sources, [name]: { readable: reason === null, reason } };
  }

  /**
   * The kernel log as it is now, whole. Two lines that are alike and printed at the same time are two events; the same
   * line read again is not. A log that has become shorter was cleared, or has wrapped: what left it does not come back.
   */
  readLog(lines: readonly LineEvent[]): readonly GpuEvent[] {
    const counts = new Map<string, number>();
    const told: GpuEvent[] = [];
    const before = this.newest;
    for (const line of newestOfEachKind(lines)) {
      const key = identityOf(this.#options.bootId, line);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count > (this.#seen.get(key) ?? 0)) told.push(this.#fromLine(line, `${key}-${count}`));
    }
    this.#seen = counts;
    this.#readBefore = true;
    this.#knownUntilMs = null;
    this.#tellSince(before);
    return told;
  }

  fromDriver({ pciSlot, xid, gpuInstanceId, computeInstanceId }: DriverEvent): void {
    const atMs = this.#options.nowMs();
    const before = this.newest;
    const known = pciSlot === null ? undefined : this.#pairs.take(pciSlot, xid, atMs, 'kernelLog');
    if (known) this.#replace(known, { ...known, sources: [...known.sources, 'nvml'] });
    else
      this.#add({
        id: hash(`${this.#options.bootId} nvml ${this.#numbering} ${this.#next}`),
        kind: 'xid',
        atMs,
        sources: ['nvml'],
        origin: 'kernel',
        pciSlot,
        code: xid,
        message: `Xid ${xid}: ${explainXid(xid, '').name}`,
        details: {
          ...(gpuInstanceId !== null && { gpuInstanceId }),
          ...(computeInstanceId !== null && { computeInstanceId }),
        },
      });
    this.#tellSince(before);
  }

  since(cursor: string | undefined): EventPage {
    const next = `${this.#numbering}-${this.newest}`;
    const { events, lostUpTo } = this.#shelf;
    if (cursor === undefined) return { events: [...events], cursor: next, eventsLost: false };
    const [, numbering, number] = /^([\da-f]{8})-(\d{1,15})$/.exec(cursor) ?? [];
    if (number === undefined)
      throw new Fault(`since: "${plainText(cursor, 64)}" is not a cursor that an answer gave`, {
        code: 'BAD_ARGUMENT',
      });
    if (numbering !== this.#numbering) return { events: [...events], cursor: next, eventsLost: true };
    const after = Number(number);
    return {
      events: events.filter((event) => event.number > after),
      cursor: next,
      eventsLost: after < lostUpTo || after > this.newest,
    };
  }

  /** What a later life needs to go on with the same numbers, and without telling anything twice. */
  toJSON(): KeptEvents {
    return {
      version: 1,
      numbering: this.#numbering,
      bootId: this.#options.bootId,
      next: this.#next,
      readBefore: this.#readBefore,
      seen: [...this.#seen],
      keptAtMs: this.#knownUntilMs ?? this.#options.nowMs(),
      printedZeroMs: this.#printedZeroMs,
      ...this.#shelf.written(),
    };
  }

  /** Where the driver's own event has told of it already, that one gets the words of the line. */
  #fromLine(line: LineEvent, identity: string): GpuEvent {
    const { printed, origin, kind, pciSlot, code, message, details } = line;
    const atMs = this.#dateOf(printed);
    const id = hash(identity);
    const mayBeKnown = kind === 'xid' && origin === 'kernel' && pciSlot !== null && atMs !== null;
    const known = mayBeKnown ? this.#pairs.take(pciSlot, code, atMs, 'nvml') : undefined;
    if (!known)
      return this.#add({ id, kind, atMs, sources: ['kernelLog'], origin, pciSlot, code, message, details });
    return this.#replace(known, {
      ...known,
      id,
      sources: [...known.sources, 'kernelLog'],
      message,
      details,
    });
  }

  /**
   * What comes after the first read is dated by the clock: the kernel's own count of seconds is set right by nobody, and
   * is a quarter of an hour off after half a year. What was printed while no agent was there lies between two reads.
   */
  #dateOf(printed: string | null): number | null {
    const nowMs = this.#options.nowMs();
    const printedMs = printed === null ? null : 1000 * Number(printed);
    if (this.#readBefore && this.#knownUntilMs === null) {
      if (printedMs !== null) this.#printedZeroMs = nowMs - printedMs;
      return nowMs;
    }
    if (printedMs === null) return this.#readBefore ? nowMs : null;
    const atMs = Math.round(this.#printedZeroMs + printedMs);
    return this.#readBefore ? Math.min(nowMs, Math.max(this.#knownUntilMs ?? 0, atMs)) : atMs;
  }

  #add(event: Omit<GpuEvent, 'number' | 'bootId'>): GpuEvent {
    const whole = { number: this.#next, bootId: this.#options.bootId, ...event };
    this.#next++;
    this.#shelf.add(whole);
    this.#pairs.add(whole);
    return whole;
  }

  #replace(known: GpuEvent, event: GpuEvent): GpuEvent {
    this.#shelf.replace(known, event);
    return event;
  }

  #tellSince(before: number): void {
    if (this.newest === before) return;
    const told = this.#shelf.events.filter(({ number }) => number > before);
    for (const listener of this.#listeners) listener(this.newest, told);
  }
}

function newBook(): KeptEvents {
  const numbering = randomBytes(4).toString('hex');
  return { version: 1, numbering, bootId: null, next: 1, readBefore: false, seen: [], events: [] };
}

/** In their order. */
function newestOfEachKind(lines: readonly LineEvent[]): readonly LineEvent[] {
  if (lines.length <= linesOfKindAtMost) return lines;
  const counts = new Map<string, number>();
  const newest = lines.toReversed().filter((line) => {
    const count = (counts.get(kindOf(line)) ?? 0) + 1;
    counts.set(kindOf(line), count);
    return count <= linesOfKindAtMost;
  });
  return newest.reverse();
}

function identityOf(bootId: string | null, { printed, origin, message }: LineEvent): string {
  return hash(`${bootId} ${printed} ${origin} ${message}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
