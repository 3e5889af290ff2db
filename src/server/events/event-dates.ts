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
 * When events have happened. What comes after the first read is dated by the clock: the kernel's own count of seconds is
 * set right by nobody, and is a quarter of an hour off after half a year. What was printed while no agent was there lies
 * between two reads.
 */
export class EventDates {
  readonly #clocks: Clocks;
  /** False until the log of this boot was read once: what it had then is dated by the time since boot. */
  #readBefore: boolean;
  /** When an earlier life knew the log last; null once this one has read it. */
  #knownUntilMs: number | null;
  /** Unix time of the kernel's second 0, by the newest line that was read soon after it was printed. */
  #printedZeroMs: number;

  /** @param kept of an earlier life in this boot */
  constructor(clocks: Clocks, kept: KeptEvents | undefined) {
    this.#clocks = clocks;
    this.#readBefore = kept?.readBefore ?? false;
    this.#knownUntilMs = kept ? (kept.keptAtMs ?? clocks.bootedAtMs) : null;
    this.#printedZeroMs = kept?.printedZeroMs ?? clocks.bootedAtMs;
  }

  /** The log has been read, whole. */
  logRead(): void {
    this.#readBefore = true;
    this.#knownUntilMs = null;
  }

  /** @param printed null where the kernel puts no times on its lines */
  ofLine(printed: string | null): number | null {
    const nowMs = this.#clocks.nowMs();
    const printedMs = printed === null ? null : 1000 * Number(printed);
    if (this.#readBefore && this.#knownUntilMs === null) {
      if (printedMs !== null) this.#printedZeroMs = nowMs - printedMs;
      return nowMs;
    }
    if (printedMs === null) return this.#readBefore ? nowMs : null;
    const atMs = Math.round(this.#printedZeroMs + printedMs);
    return this.#readBefore ? Math.min(nowMs, Math.max(this.#knownUntilMs ?? 0, atMs)) : atMs;
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
      printedZeroMs: this.#printedZeroMs,
    };
  }
}
