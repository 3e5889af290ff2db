import { absences, clocksReasons } from '../../core/history.ts';
import type { Bin } from './bin.ts';
import { type Column, seriesColumns } from './sample-ring.ts';

/** Whether the reasons for clocks could ever be read. */
const reasonsKnown = 0x80;

/** The newest bins, in columns of a fixed length. */
export class BinRing {
  readonly capacity: number;
  readonly #rows: Float64Array<ArrayBuffer>;
  readonly #atMs: Float64Array<ArrayBuffer>;
  readonly #monotonicMs: Float64Array<ArrayBuffer>;
  readonly #endMonotonicMs: Float64Array<ArrayBuffer>;
  readonly #boots: Uint32Array<ArrayBuffer>;
  readonly #lives: Uint32Array<ArrayBuffer>;
  readonly #counts: Uint32Array<ArrayBuffer>;
  readonly #coveredMs: Float32Array<ArrayBuffer>;
  readonly #heldMs: readonly Float32Array<ArrayBuffer>[];
  /** `reasonsKnown`, and the absence as in a ring of samples. */
  readonly #flags: Uint8Array<ArrayBuffer>;
  readonly #min: readonly Column[];
  readonly #mean: readonly Column[];
  readonly #max: readonly Column[];
  #pushed = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#rows = new Float64Array(capacity);
    this.#atMs = new Float64Array(capacity);
    this.#monotonicMs = new Float64Array(capacity);
    this.#endMonotonicMs = new Float64Array(capacity);
    this.#boots = new Uint32Array(capacity);
    this.#lives = new Uint32Array(capacity);
    this.#counts = new Uint32Array(capacity);
    this.#coveredMs = new Float32Array(capacity);
    this.#heldMs = clocksReasons.map(() => new Float32Array(capacity));
    this.#flags = new Uint8Array(capacity);
    this.#min = seriesColumns(capacity);
    this.#mean = seriesColumns(capacity);
    this.#max = seriesColumns(capacity);
  }

  get length(): number {
    return Math.min(this.#pushed, this.capacity);
  }

  get byteLength(): number {
    const times = [this.#rows, this.#atMs, this.#monotonicMs, this.#endMonotonicMs, this.#coveredMs];
    const others = [this.#boots, this.#lives, this.#counts, this.#flags, ...this.#heldMs];
    const columns = [...times, ...others, ...this.#min, ...this.#mean, ...this.#max];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  push(bin: Bin): void {
    const at = this.#pushed % this.capacity;
    this.#rows[at] = bin.row;
    this.#atMs[at] = bin.atMs;
    this.#monotonicMs[at] = bin.monotonicMs;
    this.#endMonotonicMs[at] = bin.endMonotonicMs;
    this.#boots[at] = bin.boot;
    this.#lives[at] = bin.life;
    this.#counts[at] = bin.count;
    this.#coveredMs[at] = bin.coveredMs;
    this.#flags[at] =
      (bin.heldMs ? reasonsKnown : 0) + (bin.absence === null ? 0 : absences.indexOf(bin.absence) + 1);
    put(this.#heldMs, at, bin.heldMs ?? []);
    put(this.#min, at, bin.min);
    put(this.#mean, at, bin.mean);
    put(this.#max, at, bin.max);
    this.#pushed++;
  }

  /** @param place 0 is the oldest */
  get(place: number): Bin | undefined {
    if (place < 0 || place >= this.length) return undefined;
    const at = (this.#pushed - this.length + place) % this.capacity;
    const flags = this.#flags[at] ?? 0;
    return {
      row: this.#rows[at] ?? 0,
      atMs: this.#atMs[at] ?? 0,
      monotonicMs: this.#monotonicMs[at] ?? 0,
      endMonotonicMs: this.#endMonotonicMs[at] ?? 0,
      boot: this.#boots[at] ?? 0,
      life: this.#lives[at] ?? 0,
      count: this.#counts[at] ?? 0,
      coveredMs: this.#coveredMs[at] ?? 0,
      absence: absences[(flags & ~reasonsKnown) - 1] ?? null,
      heldMs: flags & reasonsKnown ? take(this.#heldMs, at) : null,
      min: take(this.#min, at),
      mean: take(this.#mean, at),
      max: take(this.#max, at),
    };
  }
}

function put(columns: readonly Column[], at: number, values: ArrayLike<number>): void {
  columns.forEach((column, series) => {
    column[at] = values[series] ?? Number.NaN;
  });
}

function take(columns: readonly Column[], at: number): number[] {
  return columns.map((column) => column[at] ?? Number.NaN);
}
