import { driverWentAway, type HowRead, type ReadOptions, slowReadEveryMs } from '../../core/driver.ts';
import type { GpuReadings } from '../../core/gpu.ts';

export interface RoundsOptions {
  /** Reads one GPU, and calls `between` before each driver call. */
  readonly read: (index: number, slowly: boolean) => GpuReadings;
  readonly told: (index: number, readings: GpuReadings, how: HowRead) => void;
  readonly nowMs: () => number;
}

/** A GPU that takes longer is slow: the others do not wait for it any longer. */
export const slowGpuMs = 1000;
/** In between a GPU is read only when it costs no more than this part of the time: a second slow one would hold up all. */
const share = 0.1;

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
  #takenAtMs: number[] = [];
  #tookMs: number[] = [];
  #slowlyAtMs: number[] = [];
  #round: Round | undefined;
  /** The one that is read, after those that wait for it to be done. */
  readonly #underWay: number[] = [];
  /** When the others are to be read in between. */
  #dueMs = 0;
  #passedAtMs: number | undefined;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** A driver life begins, in which GPUs may have other numbers. */
  begin(): void {
    this.#takenAtMs = [];
    this.#tookMs = [];
    this.#slowlyAtMs = [];
  }

  run(indices: readonly number[], options: ReadOptions): void {
    const round = { ...options, indices, left: new Set(indices) };
    this.#round = round;
    this.#passedAtMs = undefined;
    try {
      for (const index of indices) {
        if (round.left.has(index) && !this.#read(round, index, options.slowly, false)) return;
      }
      // The wait for the next round begins when all is fresh.
      if (this.#passedAtMs !== undefined && this.#options.nowMs() - this.#passedAtMs > slowGpuMs)
        this.#pass(round);
    } finally {
      this.#round = undefined;
      this.#underWay.length = 0;
    }
  }

  /** To be called between any two driver calls. */
  between(): void {
    if (this.#round && this.#options.nowMs() >= this.#dueMs) this.#pass(this.#round);
  }

  #pass(round: Round): void {
    const sinceMs = this.#options.nowMs();
    for (const index of round.indices.filter((each) => this.#isQuick(each))) {
      const slowly = round.left.has(index) ? round.slowly : this.#isSlowlyDue(index);
      if (!this.#read(round, index, slowly, true)) break;
    }
    this.#passedAtMs = sinceMs;
    this.#dueMs = sinceMs + round.againMs;
  }

  /** @returns whether the driver is still there */
  #read(round: Round, index: number, slowly: boolean, between: boolean): boolean {
    const { read, told, nowMs } = this.#options;
    const sinceMs = nowMs();
    round.left.delete(index);
    this.#dueMs = sinceMs + slowGpuMs;
    this.#underWay.push(index);
    const readings = read(index, slowly);
    this.#underWay.pop();
    const tookMs = nowMs() - sinceMs;
    this.#takenAtMs[index] = sinceMs;
    this.#tookMs[index] = tookMs;
    if (slowly) this.#slowlyAtMs[index] = sinceMs;
    told(index, readings, { slowly, tookMs, between });
    return !driverWentAway(readings);
  }

  #isQuick(index: number): boolean {
    if (this.#underWay.includes(index)) return false;
    const [takenAtMs, tookMs] = [this.#takenAtMs[index], this.#tookMs[index]];
    if (takenAtMs === undefined || tookMs === undefined) return true;
    return tookMs <= share * (this.#options.nowMs() - takenAtMs);
  }

  #isSlowlyDue(index: number): boolean {
    return this.#options.nowMs() - (this.#slowlyAtMs[index] ?? 0) >= slowReadEveryMs;
  }
}
