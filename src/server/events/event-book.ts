import { createHash } from 'node:crypto';

import type { EventLog, EventPage, EventSource, GpuEvent } from '../../core/event.ts';
import { explainXid } from '../../diagnose/xid.ts';
import { readUpTo } from './event-cursor.ts';
import { type Clocks, EventDates } from './event-dates.ts';
import { EventPairs } from './event-pairs.ts';
import { EventShelf } from './event-shelf.ts';
import type { LineEvent } from './gpu-lines.ts';
import { type KeptEvents, keptEvents, newBook } from './kept-events.ts';
import type { LogSpan } from './kernel-line.ts';
import { errorOf, newestOfEachError } from './newest-of-each.ts';

/** An Xid of the driver's own event set. */
export interface DriverEvent {
  readonly pciSlot: string | null;
  readonly xid: number;
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
}

export interface EventBookOptions extends Clocks {
  /** What `toJSON` gave in an earlier life; anything else is as nothing. */
  readonly kept?: unknown;
}

/** An agent that is killed may have given numbers that were not written down: more than these in no ten seconds. */
const numbersAhead = 100_000;

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
  readonly #dates: EventDates;
  #next: number;
  /** How often each line of this boot has been seen in the log, by its identity. */
  #seen: ReadonlyMap<string, number>;
  /** The printed time of the newest line that was read, of whatever it tells; null where there was none. */
  #readUpTo: number | null;
  /** The same of an earlier life in this boot; null once this one has read the log. */
  #keptUpTo: number | null;
  /** What happened between an earlier life and this one may have been missed: the log will tell. */
  #unsure: boolean;
  #ended = false;
  #sources: Sources = {
    kernelLog: { readable: false, reason: 'not read yet' },
    nvml: {
      readable: false,
      reason: 'nobody listens yet, and an agent that is started for one call never does',
    },
  };

  constructor(options: EventBookOptions) {
    this.#options = options;
    const known = keptEvents.safeParse(options.kept).data;
    const kept = known ?? newBook();
    const ofThisBoot = kept.bootId !== null && kept.bootId === options.bootId ? kept : undefined;
    this.#numbering = kept.numbering;
    const upTo = kept.lostUpTo ?? (kept.events[0]?.number ?? kept.next) - 1;
    const lost = { upTo, beforeMs: kept.lostBeforeMs ?? (upTo > 0 ? options.nowMs() : null) };
    this.#shelf = new EventShelf(kept.events, lost, options.nowMs);
    this.#pairs = new EventPairs(kept.events);
    this.#dates = new EventDates(options, ofThisBoot);
    this.#next = kept.next;
    this.#seen = new Map(ofThisBoot?.seen);
    this.#readUpTo = ofThisBoot?.readUpTo ?? null;
    this.#keptUpTo = this.#readUpTo;
    this.#unsure = known !== undefined;
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

  /** @param reason why it cannot be read, or not of every GPU */
  source(name: EventSource, reason: string | null, readable = reason === null): void {
    this.#sources = { ...this.#sources, [name]: { readable, reason } };
    if (name === 'kernelLog' && reason !== null && this.#unsure) this.#missed();
  }

  /**
   * The kernel log as it is now, whole. Two lines that are alike and printed at the same time are two events; the same
   * line read again is not. A log that has become shorter was cleared, or has wrapped: what left it does not come back,
   * and where that may be lines that nobody read, readers are told that events were lost.
   */
  readLog(lines: readonly LineEvent[], span: LogSpan = { oldest: null, newest: null }): readonly GpuEvent[] {
    const counts = new Map<string, number>();
    const told: GpuEvent[] = [];
    const before = this.newest;
    if (!this.#goesOn(lines, span)) this.#missed();
    for (const line of newestOfEachError(lines, errorOf)) {
      const key = identityOf(this.#options.bootId, line);
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count > (this.#seen.get(key) ?? 0) && !this.#wasRead(line))
        told.push(this.#fromLine(line, `${key}-${count}`));
    }
    this.#seen = counts;
    this.#keptUpTo = null;
    this.#dates.logRead();
    this.#tellSince(before);
    return told;
  }

  /** By an earlier life, which may have been of a version that made nothing of it, or something else. */
  #wasRead({ printed }: LineEvent): boolean {
    return this.#keptUpTo !== null && printed !== null && Number(printed) <= this.#keptUpTo;
  }

  /** As it was when it was read last. */
  logUnchanged(): void {
    this.#dates.logRead();
  }

  fromDriver({ pciSlot, xid, gpuInstanceId, computeInstanceId }: DriverEvent): void {
    const atMs = this.#options.nowMs();
    const before = this.newest;
    const instances = {
      ...(gpuInstanceId !== null && { gpuInstanceId }),
      ...(computeInstanceId !== null && { computeInstanceId }),
    };
    const known = pciSlot === null ? undefined : this.#pairs.take(pciSlot, xid, atMs, 'kernelLog');
    if (known)
      this.#replace(known, {
        ...known,
        sources: [...known.sources, 'nvml'],
        details: { ...instances, ...known.details },
      });
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
        details: instances,
      });
    this.#tellSince(before);
  }

  since(cursor: string | undefined): EventPage {
    const after = readUpTo(cursor, this.#numbering);
    const isKnown = after !== null && after <= this.newest;
    const { lost } = this.#shelf;
    return {
      events: this.#shelf.events
        .filter(({ number }) => !isKnown || number > after)
        .map((event) => this.#dates.anew(event)),
      cursor: `${this.#numbering}-${this.newest}`,
      eventsLost: !isKnown || after < lost.upTo,
      lostBeforeMs: isKnown ? lost.beforeMs : null,
    };
  }

  /** What a later life needs to go on with the same numbers, and without telling anything twice. */
  toJSON(): KeptEvents {
    return {
      version: 1,
      numbering: this.#numbering,
      bootId: this.#options.bootId,
      next: this.#next + (this.#ended ? 0 : numbersAhead),
      seen: [...this.#seen],
      readUpTo: this.#readUpTo,
      ...this.#dates.written(),
      ...this.#shelf.written(),
    };
  }

  /** Nothing is added any more: a later life goes on with the next number. */
  end(): void {
    this.#ended = true;
  }

  /** Whether the log still has the place up to which it was read before. */
  #goesOn(lines: readonly LineEvent[], { oldest, newest }: LogSpan): boolean {
    const [readUpTo, unsure] = [this.#readUpTo, this.#unsure];
    this.#readUpTo = newest ?? readUpTo;
    this.#unsure = false;
    if (oldest !== null && readUpTo !== null) return oldest <= readUpTo;
    return !unsure || lines.some((line) => this.#seen.has(identityOf(this.#options.bootId, line)));
  }

  /** Its number is left out: whoever has read up to it, or less, is told. */
  #missed(): void {
    this.#unsure = false;
    this.#shelf.missed(this.#next);
    this.#next++;
  }

  /** Where the driver's own event has told of it already, that one gets the words of the line. */
  #fromLine(line: LineEvent, identity: string): GpuEvent {
    const { printed, origin, kind, pciSlot, code, message, details } = line;
    const atMs = this.#dates.ofLine(printed);
    const toldAtMs = this.#dates.areNew ? this.#options.nowMs() : atMs;
    const id = hash(identity);
    const mayBeKnown = kind === 'xid' && origin === 'kernel' && pciSlot !== null && toldAtMs !== null;
    const known = mayBeKnown ? this.#pairs.take(pciSlot, code, toldAtMs, 'nvml') : undefined;
    const told = { id, message, details: { ...known?.details, ...details } };
    if (known) return this.#replace(known, { ...known, ...told, sources: [...known.sources, 'kernelLog'] });
    return this.#add({ kind, atMs, sources: ['kernelLog'], origin, pciSlot, code, ...told }, toldAtMs);
  }

  #add(event: Omit<GpuEvent, 'number' | 'bootId' | 'monotonicMs'>, toldAtMs = event.atMs): GpuEvent {
    const monotonicMs = this.#dates.monotonicOf(event.atMs);
    const whole = { number: this.#next, bootId: this.#options.bootId, monotonicMs, ...event };
    this.#next++;
    this.#shelf.add(whole);
    this.#pairs.add(whole, toldAtMs);
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

function identityOf(bootId: string | null, { printed, origin, message }: LineEvent): string {
  return hash(`${bootId} ${printed} ${origin} ${message}`);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
