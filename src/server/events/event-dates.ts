import type { GpuEvent } from '../../core/event.ts';
import type { KeptEvents } from './kept-events.ts';

export interface Clocks {
  readonly bootId: string | null;
  /** Unix time. Source: /proc/stat, btime */
  readonly bootedAtMs: number;
  /** Unix time. */
  readonly nowMs: () => number;
  /** Since boot: what nobody sets. */
  readonly monotonicMs: () => number;
}

/** Less than that between two clocks is how they are read; more is a clock that was set. */
const setByMs = 1000;

/**
 * When events have happened: by the kernel's own count of seconds, which is set right by nobody and is a quarter of an hour
 * off after half a year. What comes after the first read was printed between two looks at the log, which sets the count
 * right; what was printed while no agent was there lies between two lives.
 */
export class EventDates {
  readonly #clocks: Clocks;
  /** False until the log of this boot was read once: what it had then is dated by the time since boot. */
  #readBefore: boolean;
  /** When an earlier life knew the log last; null once this one has read it. */
  #knownUntilMs: number | null;
  /** By the clock that is not set. */
  #lookedAtMs: number;
  /** The kernel's second 0 by the clock that is not set, as the newest line that came between two looks has it. */
  #printedZeroMs: number;

  /** @param kept of an earlier life in this boot */
  constructor(clocks: Clocks, kept: KeptEvents | undefined) {
    this.#clocks = clocks;
    this.#readBefore = kept?.readBefore ?? false;
    this.#knownUntilMs = kept ? (kept.keptAtMs ?? clocks.bootedAtMs) : null;
    this.#lookedAtMs = clocks.monotonicMs();
    this.#printedZeroMs = (kept?.printedZeroMs ?? clocks.bootedAtMs) - this.#monotonicZeroMs();
  }

  /** The log has been read, whole, or is as it was. */
  logRead(): void {
    this.#readBefore = true;
    this.#knownUntilMs = null;
    this.#lookedAtMs = this.#clocks.monotonicMs();
  }

  /** Whether a line that was not there before has just been printed. */
  get areNew(): boolean {
    return this.#readBefore && this.#knownUntilMs === null;
  }

  /** @param printed null where the kernel puts no times on its lines */
  ofLine(printed: string | null): number | null {
    const nowMs = this.#clocks.nowMs();
    if (printed === null) return this.#readBefore ? nowMs : null;
    const atMs = this.#monotonicZeroMs() + this.#printedZeroMs + 1000 * Number(printed);
    if (!this.#readBefore) return Math.round(atMs);
    const sinceMs = this.#knownUntilMs ?? this.#monotonicZeroMs() + this.#lookedAtMs;
    const inBetweenMs = Math.min(nowMs, Math.max(sinceMs, atMs));
    if (this.areNew) this.#printedZeroMs += inBetweenMs - atMs;
    return Math.round(inBetweenMs);
  }

  /** Unix time, by the clock of now. */
  #monotonicZeroMs(): number {
    return this.#clocks.nowMs() - this.#clocks.monotonicMs();
  }

  /** The same moment by the clock that is not set. */
  monotonicOf(atMs: number | null): number | null {
    return atMs === null ? null : Math.round(this.#clocks.monotonicMs() - (this.#clocks.nowMs() - atMs));
  }

  /** By the clock of now, which may have been set since. */
  anew(event: GpuEvent): GpuEvent {
    const { bootId, atMs, monotonicMs } = event;
    if (bootId !== this.#clocks.bootId || atMs === null || monotonicMs === null) return event;
    const nowAtMs = this.#clocks.nowMs() - Math.round(this.#clocks.monotonicMs() - monotonicMs);
    return Math.abs(nowAtMs - atMs) < setByMs ? event : { ...event, atMs: nowAtMs };
  }

  written(): Pick<KeptEvents, 'readBefore' | 'keptAtMs' | 'printedZeroMs'> {
    return {
      readBefore: this.#readBefore,
      keptAtMs: this.#knownUntilMs ?? this.#clocks.nowMs(),
      printedZeroMs: this.#monotonicZeroMs() + this.#printedZeroMs,
    };
  }
}
