import { absences, seriesKinds } from '../../core/history.ts';
import type { Sample } from './sample.ts';

export type Column = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** One column for each series, as wide as it must be. */
export function seriesColumns(rows: number): Column[] {
  return seriesKinds.map(({ wide }) => (wide ? new Float64Array(rows) : new Float32Array(rows)));
}

/** No reason has this many bits. */
const reasonsUnknown = 0xffff;

/** The newest samples in columns of a fixed length: they hold no more memory full than empty. */
export class SampleRing {
  readonly capacity: number;
  readonly #rows: Float64Array<ArrayBuffer>;
  readonly #atMs: Float64Array<ArrayBuffer>;
  readonly #monotonicMs: Float64Array<ArrayBuffer>;
  readonly #boots: Uint32Array<ArrayBuffer>;
  readonly #lives: Uint32Array<ArrayBuffer>;
  readonly #reasons: Uint16Array<ArrayBuffer>;
  /** 0: none; else one more than the index in `absences`. */
  readonly #absences: Uint8Array<ArrayBuffer>;
  readonly #values: readonly Column[];
  #pushed = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#rows = new Float64Array(capacity);
    this.#atMs = new Float64Array(capacity);
    this.#monotonicMs = new Float64Array(capacity);
    this.#boots = new Uint32Array(capacity);
    this.#lives = new Uint32Array(capacity);
    this.#reasons = new Uint16Array(capacity);
    this.#absences = new Uint8Array(capacity);
    this.#values = seriesColumns(capacity);
  }

  get length(): number {
    return Math.min(this.#pushed, this.capacity);
  }

  get byteLength(): number {
    const fixed = [this.#rows, this.#atMs, this.#monotonicMs, this.#boots, this.#lives];
    const columns = [...fixed, this.#reasons, this.#absences, ...this.#values];
    return columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  push({ row, atMs, monotonicMs, boot, life, values, reasons, absence }: Sample): void {
    const at = this.#pushed % this.capacity;
    this.#rows[at] = row;
    this.#atMs[at] = atMs;
    this.#monotonicMs[at] = monotonicMs;
    this.#boots[at] = boot;
    this.#lives[at] = life;
    this.#reasons[at] = reasons ?? reasonsUnknown;
    this.#absences[at] = absence === null ? 0 : absences.indexOf(absence) + 1;
    this.#values.forEach((column, series) => {
      column[at] = values[series] ?? Number.NaN;
    });
    this.#pushed++;
  }

  /** The number of the sample at this place, 0 being the oldest; NaN beyond the newest. */
  rowAt(place: number): number {
    return place < this.length ? (this.#rows[this.#slot(place)] ?? Number.NaN) : Number.NaN;
  }

  /** @param place 0 is the oldest */
  get(place: number): Sample | undefined {
    if (place < 0 || place >= this.length) return undefined;
    const at = this.#slot(place);
    const reasons = this.#reasons[at] ?? reasonsUnknown;
    return {
      row: this.#rows[at] ?? Number.NaN,
      atMs: this.#atMs[at] ?? Number.NaN,
      monotonicMs: this.#monotonicMs[at] ?? Number.NaN,
      boot: this.#boots[at] ?? 0,
      life: this.#lives[at] ?? 0,
      values: this.#values.map((column) => column[at] ?? Number.NaN),
      reasons: reasons === reasonsUnknown ? null : reasons,
      absence: absences[(this.#absences[at] ?? 0) - 1] ?? null,
    };
  }

  #slot(place: number): number {
    return (this.#pushed - this.length + place) % this.capacity;
  }
}
