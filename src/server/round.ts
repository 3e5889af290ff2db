import { driverWentAway } from '../core/driver.ts';
import type { GpuReadings } from '../core/gpu.ts';
import type { GpuState } from '../core/snapshot.ts';

/** One that takes less is an ordinary one, also of many GPUs. */
const lateMs = 2000;

/** One round over the GPUs of a node, while it lasts. Times are monotonic. */
export class Round {
  readonly #sinceMs: number;
  readonly #againMs: number;
  readonly #toldAtMs = new Map<number, number>();

  /** @param againMs how often GPUs are to be read while another one takes long */
  constructor(sinceMs: number, againMs: number) {
    this.#sinceMs = sinceMs;
    this.#againMs = againMs;
  }

  told(index: number, nowMs: number): void {
    this.#toldAtMs.set(index, nowMs);
  }

  /** Whether it has read this GPU. */
  has(index: number): boolean {
    return this.#toldAtMs.has(index);
  }

  /** Those that it has not come to, the first time or again, in all the time that it takes are told to take as long. */
  withLate(gpus: readonly GpuState[], nowMs: number): readonly GpuState[] {
    if (nowMs - this.#sinceMs < lateMs) return gpus;
    return gpus.map((gpu) => {
      const toldAtMs = this.#toldAtMs.get(gpu.index);
      const lateByMs = nowMs - (toldAtMs === undefined ? this.#sinceMs : toldAtMs + this.#againMs);
      if (gpu.trouble || lateByMs < lateMs) return gpu;
      return { ...gpu, tookMs: Math.max(gpu.tookMs ?? 0, lateByMs) };
    });
  }
}

/**
 * GPUs that say that the driver has gone away while it has not. One that says so again when the driver has just been opened
 * anew speaks of itself: the others would lose by another opening, round after round. When all say so they are believed.
 */
export class Mistaken {
  readonly #indices = new Set<number>();

  /**
   * Whether these readings mean that the driver has gone away.
   *
   * @param asked how many GPUs could say so: not those that hang, or are lost
   */
  isTrue(index: number, readings: GpuReadings, asked: number): boolean {
    if (!driverWentAway(readings)) {
      this.#indices.delete(index);
      return false;
    }
    const isKnown = this.#indices.has(index) && this.#indices.size < asked;
    this.#indices.add(index);
    return !isKnown;
  }
}
