import { describe, expect, test } from 'vitest';

import { type HistoryRow, seriesKinds, seriesNames, seriesTable } from '../../src/core/history.ts';
import { GpuRing } from '../../src/server/history/gpu-ring.ts';
import { random } from '../support/answers.ts';
import { key, node, valuesOf } from '../support/history.ts';

const intervalMs = 10_000;

const place = seriesNames.indexOf('temperatureC');
const temperatures = (rows: readonly HistoryRow[]) => rows.map(({ values }) => values[place]);

test('rows are numbered from one, and a reader who has read up to one gets those after it', () => {
  const { history, sample } = node();
  for (const temperatureC of [50, 51, 52, 53]) sample(temperatureC);

  const page = history.rows({ gpuKey: key, sinceRow: 2 });

  expect(page.rows.map(({ row }) => row)).toEqual([3, 4]);
  expect(page).toMatchObject({ newestRow: 4, rowsLost: 0 });
  expect(history.rows({ gpuKey: key, sinceRow: 4 })).toMatchObject({ rows: [], rowsLost: 0 });
});

test('a reader that was away for too long is told how many rows it has missed', () => {
  const { history, sample } = node();
  for (let at = 0; at < 1000; at++) sample(at);

  const page = history.rows({ gpuKey: key, sinceRow: 100 });

  expect(page.rows[0]?.row).toBe(281);
  expect(page).toMatchObject({ newestRow: 1000, rowsLost: 180 });
});

test('a row of another numbering, or one that was never given, tells nothing of what was lost', () => {
  const { history, sample } = node();
  for (let at = 0; at < 3; at++) sample(at);

  expect(history.rows({ gpuKey: key, sinceRow: 9 })).toMatchObject({ rowsLost: null });
  expect(history.rows({ gpuKey: key, sinceRow: 2, numbering: 'ffffffff' })).toMatchObject({ rowsLost: null });
  expect(history.rows({ gpuKey: key, sinceRow: 2, numbering: 'ffffffff' }).rows).toHaveLength(3);
  expect(history.rows({ gpuKey: key, sinceRow: 2, numbering: history.numbering }).rows).toHaveLength(1);
});

test('the ring of two hours wraps and keeps the newest 720 samples', () => {
  const { history, sample } = node();
  for (let at = 1; at <= 2000; at++) sample(at);

  const { rows } = history.rows({ gpuKey: key });

  expect(rows).toHaveLength(720);
  expect(temperatures(rows)).toEqual(Array.from({ length: 720 }, (_, at) => 1281 + at));
});

test('samples of every second push none of the others out, and are told in their order', () => {
  const { history, sample } = node();
  for (let at = 0; at < 720; at++) sample(1);
  for (let at = 0; at < 600; at++) sample(2, 1000);

  const { rows } = history.rows({ gpuKey: key });

  expect(rows.filter(({ values }) => values[place] === 1)).toHaveLength(660);
  expect(rows.filter(({ values }) => values[place] === 2)).toHaveLength(600);
  expect(rows.map(({ row }) => row)).toEqual(rows.map(({ row }) => row).sort((a, b) => a - b));
});

test('a day of bursts costs no more than their own ring, and two hours of usual samples stay', () => {
  const { history, clock, sample } = node();
  for (let at = 0; at < 86_400; at++) sample(at, 1000);

  const { rows } = history.rows({ gpuKey: key });

  const first = rows[0]?.monotonicMs ?? 0;
  expect(clock.monotonicMs - first).toBeGreaterThanOrEqual(7_180_000);
  expect(rows).toHaveLength(720 + 1200);
});

test.for([
  [1000, 1440],
  [10_000, 720],
  [60_000, 120],
  [3_600_000, 2],
])('at an interval of %i ms two hours are kept, but never more than so many rows: %i', ([interval, kept]) => {
  const { history, sample } = node({ intervalMs: interval as number });
  for (let at = 0; at < 2000; at++) sample(at);

  expect(history.rows({ gpuKey: key }).rows).toHaveLength(kept as number);
});

test('a missing value is null, never 0, and a 0 is a 0', () => {
  const { history, now } = node();
  const values = valuesOf({ temperatureC: 0 });
  history.add(key, { ...now(), values, reasons: null, absence: null });
  history.add(key, { ...now(), monotonicMs: 10, values: [], reasons: null, absence: 'hung' });

  const [first, second] = history.rows({ gpuKey: key }).rows;

  expect(first?.values).toEqual(seriesNames.map((name) => (name === 'temperatureC' ? 0 : null)));
  expect(first).toMatchObject({ reasons: null, absence: null });
  expect(second?.values).toEqual(seriesNames.map(() => null));
  expect(second).toMatchObject({ absence: 'hung' });
});

test('a sample that is not later than the last one of its boot is not taken', () => {
  const { history, now, sample } = node();
  sample(50);
  const { atMs, monotonicMs } = now();
  const again = { atMs: atMs + 5000, values: valuesOf({ temperatureC: 99 }), reasons: 0, absence: null };

  expect(history.add(key, { ...again, monotonicMs })).toBeUndefined();
  expect(history.add(key, { ...again, monotonicMs: monotonicMs - 1 })).toBeUndefined();
  expect(history.add(key, { ...again, monotonicMs: monotonicMs + 1 })).toBe(2);
});

test('a clock that is set back or forth loses nothing, and a window still means the time that has passed', () => {
  const { history, clock, now, sample } = node();
  for (let at = 1; at <= 60; at++) sample(at);
  clock.setByMs = -86_400_000;
  for (let at = 61; at <= 120; at++) sample(at);
  clock.setByMs = 3_600_000;
  for (let at = 121; at <= 180; at++) sample(at);

  const rows = (minutes: number) =>
    history.rows({ gpuKey: key, fromMs: now().atMs - minutes * 60_000, toMs: now().atMs }).rows;

  expect(temperatures(history.rows({ gpuKey: key }).rows)).toEqual(
    Array.from({ length: 180 }, (_, at) => at + 1),
  );
  expect(temperatures(rows(15))).toEqual(Array.from({ length: 91 }, (_, at) => 90 + at));
  expect(history.bins({ gpuKey: key }).reduce((sum, { count }) => sum + count, 0)).toBe(180);
});

test('the row before a window is told, so that a gap across its start is seen', () => {
  const { history, now, sample } = node();
  sample(1);
  sample(2, 600_000);

  const page = history.rows({ gpuKey: key, fromMs: now().atMs - 60_000 });

  expect(page.rows).toHaveLength(1);
  expect(page.before).toMatchObject({ row: 1 });
});

test('each GPU has its own rows, and one that is not known has none', () => {
  const { history, sample } = node();
  sample(50, intervalMs, 'GPU-a');
  sample(60, 5, 'GPU-b');
  sample(61, intervalMs, 'GPU-b');

  expect(temperatures(history.rows({ gpuKey: 'GPU-a' }).rows)).toEqual([50]);
  expect(temperatures(history.rows({ gpuKey: 'GPU-b' }).rows)).toEqual([60, 61]);
  expect(history.rows({ gpuKey: 'GPU-c' })).toEqual({ rows: [], before: null, newestRow: 0, rowsLost: 0 });
  expect(history.bins({ gpuKey: 'GPU-c' })).toEqual([]);
});

test('GPUs that come under ever new names push out the one that was away longest, not those that are there', () => {
  const { history, sample } = node();
  for (let at = 0; at < 100; at++) {
    sample(50, intervalMs, 'GPU-that-stays');
    sample(50, 1, `GPU-${at}`);
  }

  expect(history.rows({ gpuKey: 'GPU-that-stays' }).newestRow).toBe(100);
  expect(history.rows({ gpuKey: 'GPU-0' }).newestRow).toBe(0);
  expect(history.rows({ gpuKey: 'GPU-99' }).newestRow).toBe(1);
  expect(history.byteLength).toBeLessThan(32 * 450_000);
});

describe('values keep their precision', () => {
  const row = (given: Parameters<typeof valuesOf>[0]) => {
    const { history, now } = node();
    history.add(key, { ...now(), values: valuesOf(given), reasons: 0, absence: null });
    return history.rows({ gpuKey: key }).rows[0]?.values ?? [];
  };

  test('bytes of memory are exact in steps of 64 KiB, as the driver counts them, to 512 GiB', () => {
    const next = random(7);
    for (let at = 0; at < 500; at++) {
      const memoryUsedBytes = 65_536 * Math.floor(next() * 2 ** 23);
      expect(row({ memoryUsedBytes })[seriesNames.indexOf('memoryUsedBytes')]).toBe(memoryUsedBytes);
    }
  });

  test('energy is exact to the millijoule after years at full power', () => {
    const energyJoules = 123_456_789_012.345;
    expect(row({ energyJoules })[seriesNames.indexOf('energyJoules')]).toBe(energyJoules);
  });

  test('all others are right to 7 digits', () => {
    const next = random(8);
    for (const name of seriesNames) {
      const value = next() * 1e11;
      const kept = row({ [name]: value })[seriesNames.indexOf(name)] ?? 0;
      expect(Math.abs(kept - value) / value).toBeLessThan(2 ** -24);
    }
  });
});

test('eight GPUs take what the columns say, and that is less than 6 MiB', () => {
  const wide = seriesKinds.filter((kind) => 'wide' in kind).length;
  const bytes = 4 * (seriesNames.length - wide) + 8 * wide;
  const sampleRows = 720 + 1200;
  const perSample = 3 * 8 + 2 * 4 + 2 + 1 + bytes;
  const perBin = 4 * 8 + 3 * 4 + 4 + 1 + 9 * 4 + 3 * bytes;

  const { byteLength } = new GpuRing(intervalMs);

  expect(Object.keys(seriesTable)).toHaveLength(seriesNames.length);
  expect(byteLength).toBe(sampleRows * perSample + 576 * perBin);
  expect(8 * byteLength).toBeLessThan(6 * 2 ** 20);
});
