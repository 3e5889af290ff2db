import { absences } from '../../core/history.ts';
import { bytesOf, Places, putRow, seriesColumns, takeRow, valueAt } from './columns.ts';
import type { Sample } from './sample.ts';

/** No reason has this many bits. */
const reasonsUnknown = 0xffff;

/** The newest samples in columns of a fixed length: they hold no more memory full than empty. */
export class SampleRing {
  readonly #places: Places;
  readonly #columns;
  readonly #values;

  constructor(capacity: number) {
    this.#places = new Places(capacity);
    this.#columns = {
      row: new Float64Array(capacity),
      atMs: new Float64Array(capacity),
      monotonicMs: new Float64Array(capacity),
      boot: new Uint32Array(capacity),
      life: new Uint32Array(capacity),
      reasons: new Uint16Array(capacity),
      /** 0: none; else one more than the index in `absences`. */
      absence: new Uint8Array(capacity),
    };
    this.#values = seriesColumns(capacity);
  }

  get length(): number {
    return this.#places.length;
  }

  get byteLength(): number {
    return bytesOf([...Object.values(this.#columns), ...this.#values]);
  }

  push({ row, atMs, monotonicMs, boot, life, values, reasons, absence }: Sample): void {
    const at = this.#places.next();
    const columns = this.#columns;
    columns.row[at] = row;
    columns.atMs[at] = atMs;
    columns.monotonicMs[at] = monotonicMs;
    columns.boot[at] = boot;
    columns.life[at] = life;
    columns.reasons[at] = reasons ?? reasonsUnknown;
    columns.absence[at] = absence === null ? 0 : absences.indexOf(absence) + 1;
    putRow(this.#values, at, values);
  }

  /** @param place 0 is the oldest; NaN where there is none */
  rowAt(place: number): number {
    const at = this.#places.at(place);
    return at === undefined ? Number.NaN : valueAt(this.#columns.row, at);
  }

  /** @param place 0 is the oldest */
  get(place: number): Sample | undefined {
    const at = this.#places.at(place);
    if (at === undefined) return undefined;
    const columns = this.#columns;
    const reasons = valueAt(columns.reasons, at);
    return {
      row: valueAt(columns.row, at),
      atMs: valueAt(columns.atMs, at),
      monotonicMs: valueAt(columns.monotonicMs, at),
      boot: valueAt(columns.boot, at),
      life: valueAt(columns.life, at),
      values: takeRow(this.#values, at),
      reasons: reasons === reasonsUnknown ? null : reasons,
      absence: absences[valueAt(columns.absence, at) - 1] ?? null,
    };
  }
}
