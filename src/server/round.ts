import { driverWentAway } from '../core/driver.ts';
import type { GpuReadings } from '../core/gpu.ts';
import type { GpuState } from '../core/snapshot.ts';

/** One that takes less is an ordinary one, also of many GPUs. */
const lateMs = 2000;

/** One round over the GPUs of a node, while it lasts. */
export class Round {
  readonly #sinceMs: number;
  /** By index: the GPUs that it has read. */
  readonly done = new Set<number>();

  /** @param sinceMs monotonic */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** Those that it has not come to in all the time that it takes are told to take as long. */
  withLate(gpus: readonly GpuState[], nowMs: number): readonly GpuState[] {
    const forMs = nowMs - this.#sinceMs;
    if (forMs < lateMs) return gpus;
    return gpus.map((gpu) =>
      this.done.has(gpu.index) || gpu.trouble ? gpu : { ...gpu, tookMs: Math.max(gpu.tookMs ?? 0, forMs) },
    );
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
