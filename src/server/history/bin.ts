import { type Absence, clocksReasons, seriesNames } from '../../core/history.ts';
import { clocksEventReasonBits } from '../../core/power-readings.ts';
import type { Sample } from './sample.ts';

export const binMs = 300_000;

/** Up to five minutes as one; NaN where no sample had a value. */
export interface Bin {
  /** Of its last sample. */
  readonly row: number;
  readonly boot: number;
  readonly life: number;
  /** Of its first sample. */
  readonly atMs: number;
  readonly monotonicMs: number;
  readonly endMonotonicMs: number;
  readonly count: number;
  readonly coveredMs: number;
  readonly absence: Absence | null;
  /** By `clocksReasons`; null where they could never be read. */
  readonly heldMs: ArrayLike<number> | null;
  readonly min: ArrayLike<number>;
  readonly mean: ArrayLike<number>;
  readonly max: ArrayLike<number>;
}

/** A bin while it grows. */
export class OpenBin implements Bin {
  row = 0;
  readonly boot: number;
  life = 0;
  readonly atMs: number;
  readonly monotonicMs: number;
  endMonotonicMs = 0;
  count = 0;
  coveredMs = 0;
  absence: Absence | null = null;
  heldMs: Float64Array<ArrayBuffer> | null = null;
  readonly min = new Float64Array(seriesNames.length).fill(Number.NaN);
  readonly max = new Float64Array(seriesNames.length).fill(Number.NaN);
  /** Of each value times the time that it stands for, and of that time. */
  readonly #sums = new Float64Array(seriesNames.length);
  readonly #weights = new Float64Array(seriesNames.length);

  constructor({ boot, atMs, monotonicMs }: Sample) {
    this.boot = boot;
    this.atMs = atMs;
    this.monotonicMs = monotonicMs;
  }

  get mean(): Float64Array<ArrayBuffer> {
    return this.#sums.map((sum, series) => sum / (this.#weights[series] ?? 0)); // 0 / 0 is NaN: none had a value
  }

  /** Bins begin at whole multiples of their length since boot, so that all GPUs of a node have the same. */
  takes({ boot, monotonicMs }: Sample): boolean {
    return boot === this.boot && Math.floor(monotonicMs / binMs) === Math.floor(this.monotonicMs / binMs);
  }

  /** @param spanMs for how long the sample stands */
  add(sample: Sample, spanMs: number): void {
    if (this.count > 0 && sample.life !== this.life) this.absence ??= 'agentNotRunning';
    this.row = sample.row;
    this.life = sample.life;
    this.endMonotonicMs = sample.monotonicMs;
    this.count++;
    if (sample.absence === null) this.coveredMs += spanMs;
    else this.absence = sample.absence;
    if (sample.reasons !== null) this.#hold(sample.reasons, spanMs);
    for (let series = 0; series < seriesNames.length; series++)
      this.#value(series, sample.values[series] ?? Number.NaN, spanMs);
  }

  #value(series: number, value: number, spanMs: number): void {
    if (Number.isNaN(value)) return;
    this.min[series] = least(this.min[series], value);
    this.max[series] = -least(-(this.max[series] ?? Number.NaN), -value);
    this.#sums[series] = (this.#sums[series] ?? 0) + value * spanMs;
    this.#weights[series] = (this.#weights[series] ?? 0) + spanMs;
  }

  #hold(mask: number, spanMs: number): void {
    const held = this.heldMs ?? new Float64Array(clocksReasons.length);
    this.heldMs = held;
    clocksReasons.forEach((reason, at) => {
      if (mask & clocksEventReasonBits[reason]) held[at] = (held[at] ?? 0) + spanMs;
    });
  }
}

/** Of what is not yet known, and a value: the value. */
function least(known = Number.NaN, value = Number.NaN): number {
  return Number.isNaN(known) || value < known ? value : known;
}
