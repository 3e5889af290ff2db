import { gapMs } from '../../core/history.ts';
import { type Bin, binMs, OpenBin } from './bin.ts';
import { BinRing } from './bin-ring.ts';
import type { Sample } from './sample.ts';
import { SampleRing } from './sample-ring.ts';

const regularMs = 2 * 3_600_000;
/** 2 h at the usual 10 s are 720; at a shorter interval the ring holds less than 2 h rather than more memory. */
const regularAtMost = 1440;
/** What two hours may spend on bursts: see `BurstSchedule`. */
const burstRows = 1200;
const binsKept = (48 * 3_600_000) / binMs;

/**
 * What is remembered of one GPU: samples at the usual interval for two hours; those taken in between, around events, in a
 * ring of their own, so that they push out none of the others; and bins of five minutes for two days.
 */
export class GpuRing {
  readonly #intervalMs: number;
  readonly #regular: SampleRing;
  readonly #burst = new SampleRing(burstRows);
  readonly #bins = new BinRing(binsKept);
  #open: OpenBin | undefined;
  #last: Sample | undefined;
  /** When the next sample at the usual interval is. */
  #due: { readonly boot: number; readonly atMs: number } | undefined;
  /** Of the last bin that was restored: what it holds is not counted again. */
  #binnedUpTo = 0;
  #newestRow = 0;
  #lastSeenMs = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    this.#regular = new SampleRing(Math.min(regularAtMost, Math.max(1, Math.ceil(regularMs / intervalMs))));
  }

  get newestRow(): number {
    return this.#newestRow;
  }

  get lastAbsence(): Sample['absence'] {
    return this.#last?.absence ?? null;
  }

  /** When it last had a value, Unix time; 0 for never. */
  get lastSeenMs(): number {
    return this.#lastSeenMs;
  }

  get byteLength(): number {
    return this.#regular.byteLength + this.#burst.byteLength + this.#bins.byteLength;
  }

  /**
   * The row's number may be known from before; else it is the next. A sample that is not later than the last one of the
   * same boot, or not of a greater number, is not taken.
   *
   * @returns the bin that it has closed
   */
  add(
    given: Omit<Sample, 'row'> & { readonly row?: number },
  ): { row: number; closed: Bin | undefined } | undefined {
    const sample: Sample = { ...given, row: given.row ?? this.#newestRow + 1 };
    const last = this.#last;
    if (sample.row <= this.#newestRow || (last && !isLater(sample, last))) return undefined;
    const ring = this.#isRegular(sample) ? this.#regular : this.#burst;
    ring.push(sample);
    this.#last = sample;
    this.#newestRow = sample.row;
    if (sample.absence === null) this.#lastSeenMs = sample.atMs;
    return { row: sample.row, closed: sample.row > this.#binnedUpTo ? this.#bin(sample, last) : undefined };
  }

  /** A bin of an earlier life, in their order, before any sample. */
  restoreBin(bin: Bin): void {
    if (bin.row <= this.#binnedUpTo) return;
    this.#bins.push(bin);
    this.#binnedUpTo = bin.row;
  }

  /** A bin can have outlived its samples: their numbers are not given again. */
  restored(): void {
    this.#newestRow = Math.max(this.#newestRow, this.#binnedUpTo);
  }

  skipRows(count: number): void {
    this.#newestRow += count;
  }

  /** Oldest first, both rings as one; those after a row. */
  *samples(afterRow = 0): Generator<Sample> {
    let regular = firstAfter(this.#regular, afterRow);
    let burst = firstAfter(this.#burst, afterRow);
    while (regular < this.#regular.length || burst < this.#burst.length) {
      const first = burst >= this.#burst.length || this.#regular.rowAt(regular) < this.#burst.rowAt(burst);
      const sample = first ? this.#regular.get(regular++) : this.#burst.get(burst++);
      if (sample) yield sample;
    }
  }

  /** Oldest first, and last the one that still grows. */
  *bins(): Generator<Bin> {
    for (let place = 0; place < this.#bins.length; place++) {
      const bin = this.#bins.get(place);
      if (bin) yield bin;
    }
    if (this.#open) yield this.#open;
  }

  /** By when the next one is due, not by when the last one was: else those of every second would make it too often. */
  #isRegular({ boot, monotonicMs }: Sample): boolean {
    const earlyMs = 0.1 * this.#intervalMs;
    const first = this.#due?.boot !== boot;
    const dueMs = first ? monotonicMs : (this.#due?.atMs ?? monotonicMs);
    if (monotonicMs < dueMs - earlyMs) return false;
    this.#due = { boot, atMs: Math.max(dueMs, monotonicMs - earlyMs) + this.#intervalMs };
    return true;
  }

  #bin(sample: Sample, last: Sample | undefined): Bin | undefined {
    const closed = this.#open?.takes(sample) ? undefined : this.#open;
    if (closed) this.#bins.push(closed);
    if (!this.#open || closed) this.#open = new OpenBin(sample);
    this.#open.add(sample, spanMs(sample, last, this.#intervalMs));
    return closed;
  }
}

/** For how long a sample stands: since the one before; after a gap for one interval. */
function spanMs(sample: Sample, last: Sample | undefined, intervalMs: number): number {
  if (!last || last.boot !== sample.boot) return intervalMs;
  const sinceMs = sample.monotonicMs - last.monotonicMs;
  return sinceMs > gapMs(intervalMs) ? intervalMs : sinceMs;
}

function isLater(sample: Sample, last: Sample): boolean {
  return sample.boot !== last.boot || sample.monotonicMs > last.monotonicMs;
}

/** The place of the first sample after a row; rows only grow. */
function firstAfter(ring: SampleRing, row: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ring.rowAt(middle) > row) high = middle;
    else low = middle + 1;
  }
  return low;
}
