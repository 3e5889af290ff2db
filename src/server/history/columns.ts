import { seriesKinds } from '../../core/history.ts';

export type Column =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** One column for each series, as wide as it must be. */
export function seriesColumns(rows: number): Column[] {
  return seriesKinds.map(({ wide }) => (wide ? new Float64Array(rows) : new Float32Array(rows)));
}

export function valueAt(column: Column, at: number): number {
  return column[at] ?? Number.NaN;
}

export function takeRow(columns: readonly Column[], at: number): number[] {
  return columns.map((column) => valueAt(column, at));
}

export function putRow(columns: readonly Column[], at: number, values: ArrayLike<number>): void {
  columns.forEach((column, series) => {
    column[at] = values[series] ?? Number.NaN;
  });
}

export function bytesOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Where the rows of a ring stand that has been written so often. */
export class Places {
  readonly capacity: number;
  #pushed = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return Math.min(this.#pushed, this.capacity);
  }

  /** Where the next row goes. */
  next(): number {
    return this.#pushed++ % this.capacity;
  }

  /** @param place 0 is the oldest; undefined where there is no such row */
  at(place: number): number | undefined {
    if (place < 0 || place >= this.length) return undefined;
    return (this.#pushed - this.length + place) % this.capacity;
  }
}
