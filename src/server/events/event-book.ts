import { createHash, randomBytes } from 'node:crypto';

import type { EventLog, EventPage, EventSource, GpuEvent } from '../../core/event.ts';
import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';
import { explainXid } from '../../diagnose/xid.ts';
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

/** More than a node prints in a bad hour; with them a flood of lines fills no memory. */
const keptAtMost = 2000;
/** Of a log full of such lines the newest are looked at. */
const linesAtMost = 8000;
/** An event and its other source are told close together. */
const lookedBackAtMost = 200;
/** The driver's event and the line about it: which comes first, and how late the other, nobody promises. */
const sameWithinMs = 10_000;

type Sources = EventLog['sources'];

/**
 * The events of a node, each once: whichever source saw it first, however often its log is read, and after a restart
 * that kept the book.
 */
export class EventBook implements EventLog {
  readonly #options: EventBookOptions;
  readonly #listeners = new Set<(newest: number) => void>();
  /** Numbers count within one numbering; whoever kept no book begins another. */
  readonly #numbering: string;
  #events: GpuEvent[];
  #next: number;
  /** How often each line of this boot has been seen in the log, by its identity. */
  #seen: ReadonlyMap<string, number>;
  /** False until the log of this boot was read once: what it had then is dated by the time since boot. */
  #readBefore: boolean;
  #sources: Sources = {
    kernelLog: { readable: false, reason: 'not read yet' },
    nvml: {
      readable: false,
      reason: 'nobody listens yet, and an agent that is started for one call never does',
    },
  };

  constructor(options: EventBookOptions) {
    this.#options = options;
    const kept = keptEvents.safeParse(options.kept).data;
    const sameBoot = kept !== undefined && kept.bootId !== null && kept.bootId === options.bootId;
    this.#numbering = kept?.numbering ?? randomBytes(4).toString('hex');
    this.#events = kept ? [...kept.events] : [];
    this.#next = kept?.next ?? 1;
    this.#seen = new Map(sameBoot ? kept.seen : []);
    this.#readBefore = sameBoot && kept.readBefore;
  }

  get sources(): Sources {
    return this.#sources;
  }

  get newest(): number {
    return this.#next - 1;
  }

  /** Called with the newest number once for each batch of new events. */
  onEvents(listener: (newest: number) => void): void {
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
    for (const line of lines.slice(-linesAtMost)) {
      const key = identityOf(this.#options.bootId, line);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count > (this.#seen.get(key) ?? 0)) told.push(this.#fromLine(line, `${key}-${count}`));
    }
    this.#seen = counts;
    this.#readBefore = true;
    this.#tellSince(before);
    return told;
  }

  fromDriver({ pciSlot, xid, gpuInstanceId, computeInstanceId }: DriverEvent): void {
    const atMs = this.#options.nowMs();
    const before = this.newest;
    const known = this.#sameXid(pciSlot, xid, atMs, 'nvml');
    if (known) this.#replace(known, { ...known, sources: [...known.sources, 'nvml'] });
    else
      this.#add({
        id: hash(`${this.#options.bootId} nvml ${pciSlot} ${xid} ${atMs}`),
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
    if (cursor === undefined) return { events: [...this.#events], cursor: next, eventsLost: false };
    const [, numbering, number] = /^([\da-f]{8})-(\d{1,15})$/.exec(cursor) ?? [];
    if (number === undefined)
      throw new Fault(`since: "${plainText(cursor, 64)}" is not a cursor that an answer gave`, {
        code: 'BAD_ARGUMENT',
      });
    if (numbering !== this.#numbering) return { events: [...this.#events], cursor: next, eventsLost: true };
    const after = Number(number);
    const oldest = this.#events[0]?.number ?? this.#next;
    return {
      events: this.#events.filter((event) => event.number > after),
      cursor: next,
      eventsLost: after < oldest - 1 || after > this.newest,
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
      events: this.#events,
    };
  }

  /** Where the driver's own event has told of it already, that one gets the words of the line. */
  #fromLine(line: LineEvent, identity: string): GpuEvent {
    const { printed, origin, kind, pciSlot, code, message, details } = line;
    const atMs = this.#dateOf(printed);
    const id = hash(identity);
    const isXid = kind === 'xid' && origin === 'kernel';
    const known = isXid ? this.#sameXid(pciSlot, code, atMs, 'kernelLog') : undefined;
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
   * is a quarter of an hour off after half a year.
   */
  #dateOf(printed: string | null): number | null {
    if (this.#readBefore) return this.#options.nowMs();
    return printed === null ? null : Math.round(this.#options.bootedAtMs + 1000 * Number(printed));
  }

  #sameXid(
    slot: string | null,
    code: number | null,
    atMs: number | null,
    unless: EventSource,
  ): GpuEvent | undefined {
    if (atMs === null || slot === null) return undefined;
    return this.#events
      .slice(-lookedBackAtMost)
      .findLast(
        (event) =>
          event.kind === 'xid' &&
          event.origin === 'kernel' &&
          event.pciSlot === slot &&
          event.code === code &&
          !event.sources.includes(unless) &&
          event.atMs !== null &&
          Math.abs(event.atMs - atMs) <= sameWithinMs,
      );
  }

  #add(event: Omit<GpuEvent, 'number' | 'bootId'>): GpuEvent {
    const whole = { number: this.#next, bootId: this.#options.bootId, ...event };
    this.#next++;
    this.#events.push(whole);
    if (this.#events.length > keptAtMost) this.#events = this.#events.slice(-keptAtMost / 2);
    return whole;
  }

  #replace(known: GpuEvent, event: GpuEvent): GpuEvent {
    this.#events = this.#events.map((each) => (each === known ? event : each));
    return event;
  }

  #tellSince(before: number): void {
    if (this.newest > before) for (const listener of this.#listeners) listener(this.newest);
  }
}

function identityOf(bootId: string | null, { printed, origin, message }: LineEvent): string {
  return hash(`${bootId} ${printed} ${origin} ${message}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
