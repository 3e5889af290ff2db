import {
  type Absence,
  historyKey,
  type Moment,
  type SeriesName,
  seriesNames,
} from '../../src/core/history.ts';
import type { ClocksEventReason } from '../../src/core/power-readings.ts';
import { History } from '../../src/server/history/history.ts';
import { maskOf } from '../../src/server/history/sample.ts';
import { gpu } from './gpus.ts';

/** What the clock of the tests' nodes shows: see `contextOf`. */
export const now: Moment = {
  atMs: Date.parse('2026-11-26T12:00:00.000Z'),
  monotonicMs: 5_000_000,
  bootId: 'b',
};

export const keyOf = (index: number, node = 0): string => historyKey(gpu(index, {}, { node })) ?? '';

/** Values of one sample, in the order in which rings take them. */
export function valuesOf(given: Partial<Record<SeriesName, number>>): number[] {
  return seriesNames.map((name) => given[name] ?? Number.NaN);
}

/** What a GPU shows so many ms before now; undefined: no sample was taken. */
export type Shows = (ageMs: number) =>
  | (Partial<Record<SeriesName, number>> & {
      readonly reasons?: readonly ClocksEventReason[];
      readonly absence?: Absence;
    })
  | undefined;

/** Samples of every GPU since so many ms ago, every 10 s. */
export function historyOf(
  gpus: Readonly<Record<string, Shows>>,
  sinceMs = 3_600_000,
  everyMs = 10_000,
): History {
  const history = new History({ intervalMs: 10_000, now: () => now });
  for (let ageMs = sinceMs; ageMs >= 1000; ageMs -= everyMs) addSamples(history, gpus, ageMs);
  return history;
}

export function addSamples(history: History, gpus: Readonly<Record<string, Shows>>, ageMs: number): void {
  for (const [key, shows] of Object.entries(gpus)) {
    const shown = shows(ageMs);
    if (!shown) continue;
    const { reasons = [], absence = null, ...values } = shown;
    history.add(key, {
      atMs: now.atMs - ageMs,
      monotonicMs: now.monotonicMs - ageMs,
      values: valuesOf(values),
      reasons: absence === null ? maskOf(reasons) : null,
      absence,
    });
  }
}

export const key = 'GPU-1';
const startMs = 1_800_000_000_000;

/** A node that boots in 2027, whose clock can be set; `sample` waits, then takes one. */
export function node(given: { bootId?: string | null; intervalMs?: number } = {}) {
  const { bootId = 'boot-1', intervalMs = 10_000 } = given;
  const clock = { monotonicMs: 0, setByMs: 0 };
  const now = (): Moment => ({
    atMs: startMs + clock.setByMs + clock.monotonicMs,
    monotonicMs: clock.monotonicMs,
    bootId,
  });
  const history = new History({ intervalMs, now });
  const sample = (temperatureC: number, afterMs = intervalMs, gpuKey = key) => {
    clock.monotonicMs += afterMs;
    const { atMs, monotonicMs } = now();
    const values = valuesOf({ temperatureC });
    return history.add(gpuKey, { atMs, monotonicMs, values, reasons: 0, absence: null });
  };
  return { history, clock, now, sample };
}
