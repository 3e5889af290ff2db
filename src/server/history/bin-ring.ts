import { absences, clocksReasons } from '../../core/history.ts';
import type { Bin } from './bin.ts';
import { bytesOf, Places, putRow, seriesColumns, takeRow, valueAt } from './columns.ts';

/** Whether the reasons for clocks could ever be read. */
const reasonsKnown = 0x80;

/** The newest bins, in columns of a fixed length. */
export class BinRing {
  readonly #places: Places;
  readonly #columns;
  readonly #heldMs;
  readonly #min;
  readonly #mean;
  readonly #max;

  constructor(capacity: number) {
    this.#places = new Places(capacity);
    this.#columns = {
      row: new Float64Array(capacity),
      atMs: new Float64Array(capacity),
      monotonicMs: new Float64Array(capacity),
      endMonotonicMs: new Float64Array(capacity),
      boot: new Uint32Array(capacity),
      life: new Uint32Array(capacity),
      count: new Uint32Array(capacity),
      coveredMs: new Float32Array(capacity),
      /** `reasonsKnown`, and the absence as in a ring of samples. */
      flags: new Uint8Array(capacity),
    };
    this.#heldMs = clocksReasons.map(() => new Float32Array(capacity));
    this.#min = seriesColumns(capacity);
    this.#mean = seriesColumns(capacity);
    this.#max = seriesColumns(capacity);
  }

  get length(): number {
    return this.#places.length;
  }

  get byteLength(): number {
    return bytesOf([
      ...Object.values(this.#columns),
      ...this.#heldMs,
      ...this.#min,
      ...this.#mean,
      ...this.#max,
    ]);
  }

  push(bin: Bin): void {
    const at = this.#places.next();
    const columns = this.#columns;
    columns.row[at] = bin.row;
    columns.atMs[at] = bin.atMs;
    columns.monotonicMs[at] = bin.monotonicMs;
    columns.endMonotonicMs[at] = bin.endMonotonicMs;
    columns.boot[at] = bin.boot;
    columns.life[at] = bin.life;
    columns.count[at] = bin.count;
    columns.coveredMs[at] = bin.coveredMs;
    const absence = bin.absence === null ? 0 : absences.indexOf(bin.absence) + 1;
    columns.flags[at] = absence | (bin.heldMs ? reasonsKnown : 0);
    putRow(this.#heldMs, at, bin.heldMs ?? []);
    putRow(this.#min, at, bin.min);
    putRow(this.#mean, at, bin.mean);
    putRow(this.#max, at, bin.max);
  }

  /** @param place 0 is the oldest */
  get(place: number): Bin | undefined {
    const at = this.#places.at(place);
    if (at === undefined) return undefined;
    const columns = this.#columns;
    const flags = valueAt(columns.flags, at);
    return {
      row: valueAt(columns.row, at),
      atMs: valueAt(columns.atMs, at),
      monotonicMs: valueAt(columns.monotonicMs, at),
      endMonotonicMs: valueAt(columns.endMonotonicMs, at),
      boot: valueAt(columns.boot, at),
      life: valueAt(columns.life, at),
      count: valueAt(columns.count, at),
      coveredMs: valueAt(columns.coveredMs, at),
      absence: absences[(flags & ~reasonsKnown) - 1] ?? null,
      heldMs: flags & reasonsKnown ? takeRow(this.#heldMs, at) : null,
      min: takeRow(this.#min, at),
      mean: takeRow(this.#mean, at),
      max: takeRow(this.#max, at),
    };
  }
}
