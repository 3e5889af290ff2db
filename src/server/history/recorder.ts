import { type Absence, gapMs, goneKeys, historyKey, type Moment, seriesKinds } from '../../core/history.ts';
import { orNull } from '../../core/reading.ts';
import type { DriverState, GpuState, Snapshot } from '../../core/snapshot.ts';
import type { History, Taken } from './history.ts';
import { maskOf } from './sample.ts';

type What = Omit<Taken, 'atMs' | 'monotonicMs'>;

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
  round(snapshot: Snapshot, nowMs: number, moment: Moment): void {
    const { gpus, driver } = snapshot;
    for (const gpu of gpus) {
      const key = historyKey(gpu);
      if (key === null) continue;
      const readAtMs = this.#newlyRead(key, gpu);
      if (readAtMs === null) this.#absent(key, whyNot(gpu, driver), moment);
      else this.#read(key, gpu, { ...moment, ageMs: nowMs - readAtMs });
    }
    for (const key of this.#unseen(snapshot)) this.#absent(key, whyNameless(gpus, driver), moment);
  }

  /** GPUs of an earlier life of the agent, of which there is none, or each of which may be one that cannot say who it is. */
  #unseen({ gpus, driver }: Snapshot): string[] {
    const keys = goneKeys(this.#history, gpus).filter((key) => this.#history.lastAbsence(key) !== 'vanished');
    const nameless = gpus.filter((gpu) => historyKey(gpu) === null);
    return driver.state !== 'ok' || nameless.length === 0 || nameless.length === keys.length ? keys : [];
  }

  #absent(key: string, absence: Absence | null, moment: Moment): void {
    if (absence) this.#add(key, nothing(absence), moment);
  }

  #read(key: string, gpu: GpuState, moment: Moment & { readonly ageMs: number }): void {
    // What was read since before the row that told of a stall counts from now on.
    if (!this.#add(key, valuesOf(gpu), moment)) this.#add(key, valuesOf(gpu), { ...moment, ageMs: 0 });
    // It is read anew only now: why there is nothing in between is said by a row of its own.
    const { tookMs = 0 } = gpu;
    if (tookMs > gapMs(this.#history.intervalMs)) this.#add(key, nothing('slow'), { ...moment, ageMs: 0 });
  }

  /** @returns whether it was taken: not what is older than the last one */
  #add(
    key: string,
    what: What,
    { atMs, monotonicMs, ageMs = 0 }: Moment & { readonly ageMs?: number },
  ): boolean {
    const at = { atMs: Math.round(atMs - ageMs), monotonicMs: Math.round(monotonicMs - ageMs) };
    return this.#history.add(key, { ...at, ...what }) !== undefined;
  }

  /** Null where the GPU has not been read since the last round. */
  #newlyRead(key: string, { readAtMs, trouble }: GpuState): number | null {
    if (readAtMs === null || readAtMs === this.#readAtMs.get(key) || trouble?.kind === 'hung') return null;
    this.#readAtMs.set(key, readAtMs);
    return readAtMs;
  }
}

/** Why an earlier life's GPUs have no values: those that cannot say who they are, or that are not among those there; null where they do not agree, or are still to be read. */
function whyNameless(gpus: readonly GpuState[], driver: DriverState): Absence | null {
  if (driver.state === 'unavailable') return 'driverUnavailable';
  if (driver.state === 'notResponding') return 'driverNotResponding';
  const reasons = gpus
    .filter((gpu) => historyKey(gpu) === null)
    .map((gpu) => gpu.trouble?.kind ?? (gpu.readAtMs === null ? null : whyNoValue(gpu)));
  if (reasons.length === 0) return driver.state === 'ok' && gpus.length > 0 ? 'vanished' : null;
  const [reason = null, ...others] = new Set(reasons);
  return others.length > 0 ? null : reason;
}

/** Null: the driver takes long to tell, and the GPU is still being read. */
function whyNot({ trouble }: GpuState, { state }: DriverState): Absence | null {
  if (trouble) return trouble.kind;
  if (state === 'ok' || state === 'starting') return null;
  return state === 'unavailable' ? 'driverUnavailable' : 'driverNotResponding';
}

/** The values of a GPU that was read; a lost one has said only that it is lost. */
function valuesOf(gpu: GpuState): What {
  const values = seriesKinds.map(({ of }) => orNull(of(gpu)) ?? Number.NaN);
  const reasons = orNull(gpu.readings.clocksEventReasons);
  if (values.every(Number.isNaN)) return nothing(gpu.trouble?.kind ?? whyNoValue(gpu));
  return { values, reasons: reasons && maskOf(reasons), absence: null };
}

function whyNoValue({ readings }: GpuState): Absence {
  const refused = Object.values(readings).some((one) => 'missing' in one && one.missing === 'resetRequired');
  return refused ? 'resetRequired' : 'unreadable';
}

function nothing(absence: Absence): What {
  return { values: [], reasons: null, absence };
}
