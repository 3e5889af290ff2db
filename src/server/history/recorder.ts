import { type Absence, historyKey, type Moment, seriesKinds } from '../../core/history.ts';
import { orNull } from '../../core/reading.ts';
import type { DriverState, GpuState, Snapshot } from '../../core/snapshot.ts';
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
   * One round is over. A GPU that could not be read in it gets a row without values; one that is still being read, none.
   *
   * @param nowMs by the clock of the snapshot
   * @param moment the same moment by the node's clocks
   */
  round({ gpus, driver }: Snapshot, nowMs: number, moment: Moment): void {
    for (const gpu of gpus) {
      const key = historyKey(gpu);
      if (key === null) continue;
      const readAtMs = this.#newlyRead(key, gpu);
      const taken = readAtMs === null ? whyNot(gpu, driver) : valuesOf(gpu);
      if (!taken) continue;
      const ageMs = readAtMs === null ? 0 : nowMs - readAtMs;
      this.#history.add(key, {
        atMs: Math.round(moment.atMs - ageMs),
        monotonicMs: Math.round(moment.monotonicMs - ageMs),
        ...taken,
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

/** Null: the driver takes long to tell, and the GPU is still being read. */
function whyNot({ trouble }: GpuState, { state }: DriverState) {
  if (trouble) return nothing(trouble.kind);
  if (state === 'ok') return null;
  return nothing(state === 'unavailable' ? 'driverUnavailable' : 'unreadable');
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
