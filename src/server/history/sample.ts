import { type Absence, clocksReasons } from '../../core/history.ts';
import {
  type ClocksEventReason,
  clocksEventReasonBits,
  type ToldClocksEventReason,
} from '../../core/power-readings.ts';

/** One sample of one GPU as the rings take it. */
export interface Sample {
  readonly row: number;
  /** Unix time. */
  readonly atMs: number;
  readonly monotonicMs: number;
  /** Which boot it is of, and which life of the agent: numbers that the history gives. */
  readonly boot: number;
  readonly life: number;
  /** In the order of `seriesNames`; NaN where there is none. */
  readonly values: ArrayLike<number>;
  /** By `clocksEventReasonBits`; null where it could not be read. */
  readonly reasons: number | null;
  readonly absence: Absence | null;
}

export function maskOf(reasons: readonly ToldClocksEventReason[]): number {
  return clocksReasons.reduce(
    (mask, reason) => (reasons.includes(reason) ? mask | clocksEventReasonBits[reason] : mask),
    0,
  );
}

export function reasonsIn(mask: number | null): readonly ClocksEventReason[] | null {
  return mask === null ? null : clocksReasons.filter((reason) => mask & clocksEventReasonBits[reason]);
}

/** NaN, which stands for a missing value only inside of the rings, becomes null. */
export function orNulls(values: ArrayLike<number>): (number | null)[] {
  return Array.from(values, (value) => (Number.isNaN(value) ? null : value));
}
