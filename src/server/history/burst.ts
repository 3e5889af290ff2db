import type { GpuEvent } from '../../core/event.ts';

/** How often a sample is taken around an event. */
const burstIntervalMs = 1000;
/** For how long after it. */
const burstMs = 120_000;
/** Of any hour at most this much. */
const budgetMs = 600_000;
const hourMs = 3_600_000;

interface Burst {
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Tells how often to sample. Around an event every second counts, and for two minutes each one is looked at; further events
 * draw this out. But a sick GPU can report Xids for days: sampling ten times as often for good would load just the driver
 * that is in trouble, and would push the seconds around the first event, which say most, out of the ring. So ten minutes of
 * any hour are spent at most, and none is begun that could not last its two minutes.
 *
 * All times are monotonic, in ms.
 */
export class BurstSchedule {
  readonly #intervalMs: number;
  /** Those that touch the last hour, oldest first: six at most. */
  #bursts: readonly Burst[] = [];

  /** @param intervalMs how often when nothing special happens; it is never made longer */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Something happened. True where sampling goes faster from now on, so that whoever sleeps may wake. */
  event(nowMs: number): boolean {
    this.#bursts = this.#bursts.filter(({ untilMs }) => untilMs > nowMs - hourMs);
    const leftMs = budgetMs - this.#spentMs(nowMs);
    const untilMs = nowMs + Math.min(burstMs, leftMs);
    const last = this.#bursts.at(-1);
    if (last && last.untilMs > nowMs) {
      this.#bursts = [...this.#bursts.slice(0, -1), { ...last, untilMs: Math.max(last.untilMs, untilMs) }];
      return false;
    }
    if (leftMs < burstMs) return false;
    this.#bursts = [...this.#bursts, { fromMs: nowMs, untilMs }];
    return this.#intervalMs > burstIntervalMs;
  }

  intervalMs(nowMs: number): number {
    const bursting = (this.#bursts.at(-1)?.untilMs ?? nowMs) > nowMs;
    return bursting ? Math.min(burstIntervalMs, this.#intervalMs) : this.#intervalMs;
  }

  /** Of the hour that ends now. */
  #spentMs(nowMs: number): number {
    return this.#bursts.reduce(
      (sum, { fromMs, untilMs }) =>
        sum + Math.max(0, Math.min(untilMs, nowMs) - Math.max(fromMs, nowMs - hourMs)),
      0,
    );
  }
}

/** Worth a closer look at the GPUs: errors that the bus corrects, and what a program wrote into the log, would use it up. */
export function isGpuFault({ kind, origin, details }: GpuEvent): boolean {
  if (origin !== 'kernel') return false;
  return ['xid', 'sxid', 'fallenOffBus'].includes(kind) || (kind === 'aer' && details.fatal === true);
}
