import { driverWentAway, type HowRead, type ReadOptions, slowReadEveryMs } from '../../core/driver.ts';
import type { GpuReadings } from '../../core/gpu.ts';

export interface RoundsOptions {
  /** Reads one GPU, and calls `between` before each driver call. */
  readonly read: (index: number, slowly: boolean) => GpuReadings;
  readonly told: (index: number, readings: GpuReadings, how: HowRead) => void;
  readonly nowMs: () => number;
}

/** A GPU that takes longer is slow: the others do not wait for it, and it is not read while they wait. */
export const slowGpuMs = 1000;

interface Round extends ReadOptions {
  readonly indices: readonly number[];
  readonly left: Set<number>;
}

/**
 * Reads GPUs one after another. While one of them takes long the others are read between two of its calls, as often as
 * they would be without it: no other thread is needed, which might have to wait for the same lock of the driver.
 */
export class Rounds {
  readonly #options: RoundsOptions;
  /** Of each GPU, of its last reading. */
  #tookMs: number[] = [];
  #slowlyAtMs: number[] = [];
  #round: Round | undefined;
  #last: Round | undefined;
  /** The one that is read, after those that wait for it to be done. */
  readonly #underWay: { readonly index: number; readonly sinceMs: number }[] = [];
  /** When the others are to be read in between. */
  #dueMs = 0;
  /** When all that are quick began to be read last. */
  #freshAtMs = 0;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** A driver life begins, in which GPUs may have other numbers. */
  begin(): void {
    this.#tookMs = [];
    this.#slowlyAtMs = [];
    this.#last = undefined;
  }

  run(indices: readonly number[], options: ReadOptions): void {
    const round = { ...options, indices, left: new Set(indices) };
    const sinceMs = this.#options.nowMs();
    this.#round = round;
    this.#last = round;
    this.#freshAtMs = sinceMs;
    try {
      for (const index of indices) {
        if (round.left.has(index) && !this.#read(round, index, options.slowly)) return;
      }
      // The wait for the next round begins when all is fresh.
      const hasPassed = this.#freshAtMs !== sinceMs;
      if (hasPassed && this.#options.nowMs() - this.#freshAtMs > slowGpuMs) this.#pass(round);
    } finally {
      this.#end();
    }
  }

  /** Something else is asked of a GPU, between two rounds. The others do not wait for that either. */
  beside<T>(index: number, ask: () => T): T {
    this.#round = this.#last;
    this.#dueMs = this.#freshAtMs + (this.#last?.againMs ?? 0);
    this.#underWay.push({ index, sinceMs: this.#options.nowMs() });
    try {
      return ask();
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#round = undefined;
    this.#underWay.length = 0;
  }

  /** To be called between any two driver calls. */
  between(): void {
    if (this.#round && this.#options.nowMs() >= this.#dueMs) this.#pass(this.#round);
  }

  #pass(round: Round): void {
    const sinceMs = this.#options.nowMs();
    let quickMs = 0;
    for (const index of round.indices) {
      if (!this.#isQuick(index)) continue;
      const slowly = round.left.has(index) ? round.slowly : this.#isSlowlyDue(index);
      if (!this.#read(round, index, slowly)) break;
      if (this.#isQuick(index)) quickMs += this.#tookMs[index] ?? 0;
    }
    this.#freshAtMs = sinceMs;
    // They take half of the time at most: whoever is under way must come to its end.
    this.#dueMs = Math.max(sinceMs + round.againMs, this.#options.nowMs() + quickMs);
  }

  /** @returns whether the driver is still there */
  #read(round: Round, index: number, slowly: boolean): boolean {
    const { read, told, nowMs } = this.#options;
    const sinceMs = nowMs();
    round.left.delete(index);
    this.#dueMs = sinceMs + slowGpuMs;
    this.#underWay.push({ index, sinceMs });
    const readings = read(index, slowly);
    this.#underWay.pop();
    const tookMs = nowMs() - sinceMs;
    this.#tookMs[index] = tookMs;
    if (slowly) this.#slowlyAtMs[index] = sinceMs;
    told(index, readings, { slowly, tookMs, between: this.#interrupted() });
    return !driverWentAway(readings);
  }

  #interrupted(): HowRead['between'] {
    const interrupted = this.#underWay.at(-1);
    return interrupted
      ? { index: interrupted.index, forMs: this.#options.nowMs() - interrupted.sinceMs }
      : null;
  }

  #isQuick(index: number): boolean {
    return !this.#underWay.some((each) => each.index === index) && (this.#tookMs[index] ?? 0) <= slowGpuMs;
  }

  #isSlowlyDue(index: number): boolean {
    return this.#options.nowMs() - (this.#slowlyAtMs[index] ?? 0) >= slowReadEveryMs;
  }
}
