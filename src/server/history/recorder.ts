import { type Absence, historyKey, type Moment, seriesKinds } from '../../core/history.ts';
import { orNull } from '../../core/reading.ts';
import type { GpuState, Snapshot } from '../../core/snapshot.ts';
import type { History } from './history.ts';
import { maskOf } from './sample.ts';

/** Writes rounds of samples into the history: what was read, and of what was not, why. */
export class Recorder {
  readonly #history: History;
  /** When each GPU was last read, as far as it is written down. */
  readonly #readAtMs = new Map<string, number>();

  constructor(history: History) {
    this.#history = history;
  }

  /**
   * One round is over. A GPU that has not been read in it gets a row without values.
   *
   * @param nowMs by the clock of the snapshot
   * @param moment the same moment by the node's clocks
   */
  round({ gpus, driver }: Snapshot, nowMs: number, moment: Moment): void {
    const away = driver.state === 'unavailable' ? 'driverUnavailable' : 'unreadable';
    for (const gpu of gpus) {
      const key = historyKey(gpu);
      if (key === null) continue;
      const readAtMs = this.#newlyRead(key, gpu);
      const ageMs = readAtMs === null ? 0 : nowMs - readAtMs;
      this.#history.add(key, {
        atMs: Math.round(moment.atMs - ageMs),
        monotonicMs: Math.round(moment.monotonicMs - ageMs),
        ...(readAtMs === null ? nothing(gpu.trouble?.kind ?? away) : valuesOf(gpu)),
      });
    }
  }

  /** Null where the GPU has not been read since the last round. */
  #newlyRead(key: string, { readAtMs, trouble }: GpuState): number | null {
    if (readAtMs === null || readAtMs === this.#readAtMs.get(key) || trouble?.kind === 'hung') return null;
    this.#readAtMs.set(key, readAtMs);
    return readAtMs;
  }
}

/** The values of a GPU that was read; a lost one has said only that it is lost. */
function valuesOf(gpu: GpuState) {
  const values = seriesKinds.map(({ of }) => orNull(of(gpu)) ?? Number.NaN);
  const reasons = orNull(gpu.readings.clocksEventReasons);
  if (values.every(Number.isNaN)) return nothing(gpu.trouble?.kind ?? 'unreadable');
  return { values, reasons: reasons && maskOf(reasons), absence: null };
}

function nothing(absence: Absence) {
  return { values: [], reasons: null, absence };
}
