import { describe, expect, test } from 'vitest';

import { seriesNames } from '../../src/core/history.ts';
import { binMs } from '../../src/server/history/bin.ts';
import { random } from '../support/answers.ts';
import { key, node } from '../support/history.ts';

describe.for([1, 2, 3, 4, 5])('bins are exactly what the samples say, made by chance (%i)', (seed) => {
  const next = random(seed);
  const { history, clock, now } = node();
  const all: { monotonicMs: number; values: number[]; reasons: number | null; absent: boolean }[] = [];
  for (let at = 0; at < 1500; at++) {
    clock.monotonicMs += Math.round([10_000, 10_000, 1000, 10_500, 90_000][Math.floor(next() * 5)] ?? 0);
    const absent = next() < 0.1;
    const values = seriesNames.map(() => (absent || next() < 0.1 ? Number.NaN : Math.floor(next() * 1000)));
    const reasons = absent || next() < 0.2 ? null : Math.floor(next() * 512);
    history.add(key, { ...now(), values: absent ? [] : values, reasons, absence: absent ? 'lost' : null });
    all.push({ monotonicMs: clock.monotonicMs, values, reasons, absent });
  }
  const spans = all.map(({ monotonicMs }, at) => {
    const since = monotonicMs - (all[at - 1]?.monotonicMs ?? Number.NEGATIVE_INFINITY);
    return since > 25_000 ? 10_000 : since;
  });
  const groups = new Map<number, number[]>();
  all.forEach(({ monotonicMs }, at) => {
    const bin = Math.floor(monotonicMs / binMs);
    groups.set(bin, [...(groups.get(bin) ?? []), at]);
  });
  const expected = [...groups.values()].map((members) => {
    const sum = (of: (at: number) => number) => members.reduce((total, at) => total + of(at), 0);
    const series = (name: number) => members.filter((at) => !Number.isNaN(all[at]?.values[name]));
    const value = (at: number, name: number) => all[at]?.values[name] ?? 0;
    const span = (at: number) => spans[at] ?? 0;
    return {
      row: (members.at(-1) ?? 0) + 1,
      count: members.length,
      monotonicMs: all[members[0] ?? 0]?.monotonicMs,
      endMonotonicMs: all[members.at(-1) ?? 0]?.monotonicMs,
      coveredMs: sum((at) => (all[at]?.absent ? 0 : span(at))),
      min: seriesNames.map((_, name) => least(series(name).map((at) => value(at, name)))),
      max: seriesNames.map((_, name) => greatest(series(name).map((at) => value(at, name)))),
      mean: seriesNames.map((_, name) => {
        const members = series(name);
        const weight = members.reduce((total, at) => total + span(at), 0);
        return members.length === 0
          ? null
          : members.reduce((total, at) => total + value(at, name) * span(at), 0) / weight;
      }),
      heldMs: [1, 2, 4, 8, 16, 32, 64, 128, 256].map((bit) =>
        sum((at) => ((all[at]?.reasons ?? 0) & bit ? span(at) : 0)),
      ),
    };
  });

  test('number, times, least, greatest, and for how long the clocks were held', () => {
    const bins = history.bins({ gpuKey: key });

    expect(bins).toHaveLength(Math.min(577, expected.length));
    for (const [at, bin] of bins.entries()) {
      const { mean: _, heldMs, ...wanted } = expected.slice(-bins.length)[at] ?? { mean: [], heldMs: [] };
      expect(bin).toMatchObject(wanted);
      expect(bin.heldMs ?? new Array(9).fill(0)).toEqual(heldMs);
    }
  });

  test('means, in which a second counts the same whether sampled once or ten times', () => {
    const bins = history.bins({ gpuKey: key });

    for (const [at, { mean }] of bins.entries())
      mean.forEach((value, name) => {
        const wanted = expected.slice(-bins.length)[at]?.mean[name] ?? null;
        if (wanted === null || value === null) expect(value).toBe(wanted);
        else expect(Math.abs(value - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 2 ** -23);
      });
  });
});

test('48 hours of bins are kept, and the one that grows', () => {
  const { history, sample } = node();
  for (let at = 0; at < 60 * 24 * 3; at++) sample(at, 60_000);

  const bins = history.bins({ gpuKey: key });

  expect(bins).toHaveLength(577);
  expect((bins.at(-1)?.endMonotonicMs ?? 0) - (bins[0]?.monotonicMs ?? 0)).toBeGreaterThan(
    48 * 3_600_000 - binMs,
  );
});

function least(values: readonly number[]): number | null {
  return values.length > 0 ? Math.min(...values) : null;
}

function greatest(values: readonly number[]): number | null {
  return values.length > 0 ? Math.max(...values) : null;
}
