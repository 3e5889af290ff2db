import { describe, expect, test } from 'vitest';

import { seriesNames } from '../../src/core/history.ts';
import { xidEvent } from '../support/events.ts';
import { gpu, snapshot } from '../support/gpus.ts';
import { historyOf, keyOf, now, type Shows } from '../support/history.ts';
import { askTimeline, calm, gpusOf, nodeOf, seriesOf } from '../support/timelines.ts';

const minute = 60_000;
const hour = 60 * minute;

test('the statistics of a window are those of its samples', () => {
  const ages: number[] = [];
  const shows: Shows = (ageMs) => {
    if (ageMs < 30 * minute) ages.push(ageMs);
    return { ...calm, temperatureC: 40 + ((ageMs / 1000) % 41) };
  };
  const [one] = gpusOf(nodeOf([shows]));

  const values = ages.map((ageMs) => 40 + ((ageMs / 1000) % 41)).sort((a, b) => a - b);
  const series = seriesOf(one, 'temperatureC');
  expect(series).toMatchObject({ unit: '°C', kind: 'gauge', min: values[0], max: values.at(-1) });
  expect(series?.mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 0);
  expect(series?.p95).toBe(values[Math.ceil(0.95 * values.length) - 1]);
  expect(one?.covered).toMatchObject({ samples: 180 });
  expect(one?.series.map(({ points }) => points.length)).toEqual(
    [60, 60, 60, 60, 60].map(() => one?.rows.length),
  );
});

test('structured columns carry row numbers, and no more than 120 points', () => {
  const [one] = gpusOf(nodeOf([() => calm]), { gpu: 0, minutes: 60 });

  expect(one?.newestRow).toBe(360);
  expect(one?.rows).toHaveLength(120);
  expect(one?.rows.filter((row) => row !== null).at(-1)).toBe(360);
  expect(one?.numbering).toMatch(/^[\da-f]{8}$/);
});

test('a window shorter than the columns would be has one column for each sample', () => {
  const [one] = gpusOf(nodeOf([() => calm]), { minutes: 2 });

  expect(one?.columnMs).toBe(10_000);
  expect(seriesOf(one, 'temperatureC')?.points).toEqual(new Array(12).fill(55));
});

describe('gaps', () => {
  test('that nobody sampled are gaps in the line and in a list, and not low values', () => {
    const away: Shows = (ageMs) =>
      ageMs > 10 * minute && ageMs <= 15 * minute
        ? undefined
        : { ...calm, powerWatts: ageMs > 15 * minute ? 300 : 200 };
    const [one] = gpusOf(nodeOf([away]));

    expect(one?.gaps).toEqual([
      {
        fromMs: now.atMs - 15 * minute - 10_000,
        toMs: now.atMs - 10 * minute - 10_000,
        lostMs: 5 * minute,
        why: 'notSampled',
      },
    ]);
    const points = seriesOf(one, 'powerWatts')?.points ?? [];
    expect(points.filter((point) => point === null).length).toBeGreaterThanOrEqual(9);
    expect(points.slice(0, 25)).not.toContain(null);
    expect(seriesOf(one, 'powerWatts')?.min).toBe(200);
  });

  test.for(['hung', 'lost', 'vanished', 'driverUnavailable'] as const)(
    'of a GPU that was %s say so',
    (absence) => {
      const shows: Shows = (ageMs) => (ageMs > 5 * minute && ageMs <= 8 * minute ? { absence } : calm);

      expect(gpusOf(nodeOf([shows]))[0]?.gaps).toMatchObject([{ why: absence, lostMs: 3 * minute }]);
    },
  );

  test('that last until now have the reason of now', () => {
    const { history } = nodeOf([(ageMs) => (ageMs < 4 * minute ? undefined : calm)]);
    const hanging = { history, snapshot: snapshot([gpu(0, {}, { trouble: 'hung' })]) };

    expect(gpusOf(hanging)[0]?.gaps).toMatchObject([{ why: 'hung', toMs: now.atMs, lostMs: 4 * minute }]);
  });

  test('of less than two and a half intervals are none: a timer may be late', () => {
    const shows: Shows = (ageMs) => ((ageMs / 10_000) % 2 === 0 ? undefined : calm);

    expect(gpusOf(nodeOf([shows]))[0]?.gaps).toEqual([]);
  });

  test('what was before the first sample is no gap: it is not known', () => {
    const [one] = gpusOf(nodeOf([() => calm], [], 5 * minute));

    expect(one?.gaps).toEqual([]);
    expect(one?.covered?.fromMs).toBe(now.atMs - 5 * minute - 10_000);
  });

  test('a GPU of which there are no samples at all is in the answer, and has no values', () => {
    const node = { history: historyOf({}), snapshot: snapshot([gpu(0)]) };

    const { text } = askTimeline({ a: node });

    expect(text).toContain(
      'a GPU 0 (NVIDIA H100 80GB HBM3, PCI 0000:0a:00.0): nothing happened. No samples in this time',
    );
    expect(gpusOf(node)[0]).toMatchObject({ covered: null, series: [] });
  });
});

describe('slowdowns and thresholds', () => {
  const hot: Shows = (ageMs) =>
    ageMs > 10 * minute && ageMs <= 14 * minute
      ? {
          ...calm,
          temperatureC: 90 + (ageMs === 12 * minute ? 1 : 0),
          reasons: ['hwThermalSlowdown', 'swPowerCap'],
        }
      : { ...calm, reasons: ['swPowerCap'] };

  test('a threshold that was reached is told with time, length and peak', () => {
    const [one] = gpusOf(nodeOf([hot]));

    expect(one?.crossings).toEqual([
      {
        what: 'slowdown temperature',
        series: 'temperatureC',
        threshold: 89,
        unit: '°C',
        peak: 91,
        fromMs: now.atMs - 14 * minute - 10_000,
        toMs: now.atMs - 10 * minute - 10_000,
        exact: true,
        harmless: false,
      },
    ]);
  });

  test('a threshold that the board does not tell is said not to be known', () => {
    const { history } = nodeOf([hot]);
    const blind = gpu(0, { slowdownTemperatureC: { missing: 'notSupported' } });
    const [one] = gpusOf({ history, snapshot: snapshot([blind]) });

    expect(one?.crossings).toEqual([]);
    expect(one?.unchecked).toEqual({ 'slowdown temperature': 'notSupported' });
  });

  test('each reason is told by time and in all, and only slowdowns are marked', () => {
    const [one] = gpusOf(nodeOf([hot]));

    expect(one?.throttles).toEqual([
      expect.objectContaining({ reason: 'swPowerCap', slowdown: false, heldMs: 30 * minute - 10_000 }),
      expect.objectContaining({ reason: 'hwThermalSlowdown', slowdown: true, heldMs: 4 * minute }),
    ]);
    expect(one?.heldMs).toEqual({ swPowerCap: 30 * minute - 10_000, hwThermalSlowdown: 4 * minute });
    expect(one?.slowed.filter(Boolean).length).toBeLessThanOrEqual(9);
  });

  test('full memory is told, but is no trouble', () => {
    const full: Shows = () => ({ ...calm, memoryUsedBytes: 78 * 2 ** 30 });
    const { text } = askTimeline({ a: nodeOf([full]) });

    expect(text).toContain('0000:0a:00.0): nothing happened');
    expect(text).toContain('memoryUsedBytes reached 95 % of the memory of 75.1 GiB, up to 78 GiB');
  });

  test('error counters that grow are told whichever series were asked for', () => {
    const failing: Shows = (ageMs) => ({
      ...calm,
      eccUncorrectedVolatile: ageMs > 7 * minute ? 2 : 5,
      pcieReplays: 9,
    });
    const [one] = gpusOf(nodeOf([failing]), { series: ['powerWatts'] });

    expect(one?.errors).toEqual({ eccUncorrectedVolatile: 3 });
    expect(one?.series.map(({ name }) => name)).toEqual(['powerWatts']);
  });
});

test('a counter tells by how much it has grown', () => {
  const [one] = gpusOf(nodeOf([(ageMs) => ({ ...calm, energyJoules: 1e9 - 0.35 * ageMs })]), {
    series: ['energyJoules'],
  });

  expect(seriesOf(one, 'energyJoules')).toMatchObject({
    kind: 'counter',
    increase: 0.35 * (30 * minute - 20_000),
  });
});

test('a series without values is missing, with the reason, and an asked one is never left out', () => {
  const { history } = nodeOf([() => calm]);
  const node = { history, snapshot: snapshot([gpu(0, { memoryTemperatureC: { missing: 'notSupported' } })]) };
  const [one] = gpusOf(node, { series: [...seriesNames] });

  expect(one?.missing).toMatchObject({ memoryTemperatureC: 'notSupported', energyJoules: 'notSampled' });
  expect([...(one?.series.map(({ name }) => name) ?? []), ...Object.keys(one?.missing ?? {})].sort()).toEqual(
    [...seriesNames].sort(),
  );
});

test('beyond two hours bins stand for what is older, without a gap between', () => {
  const node = nodeOf(
    [(ageMs) => ({ ...calm, temperatureC: ageMs > 3 * hour && ageMs < 3.1 * hour ? 91 : 55 })],
    [],
    5 * hour,
  );
  const [one] = gpusOf(node, { minutes: 300 });

  expect(one?.resolution).toBe('both');
  expect(one?.gaps).toEqual([]);
  expect(seriesOf(one, 'temperatureC')).toMatchObject({ min: 55, max: 91 });
  expect(one?.crossings).toMatchObject([{ peak: 91, exact: false }]);
  expect(one?.covered?.samples).toBeGreaterThanOrEqual(1798);
});

test('an agent that was restarted shows as a gap with that reason, and a reboot with its own', () => {
  const history = historyOf({ [keyOf(0)]: (ageMs) => (ageMs < 20 * minute ? undefined : calm) });
  history.continue(history.numbering, 1);
  const restarted = { history, snapshot: snapshot([gpu(0)]) };
  history.restoreSample(keyOf(0), 'b', {
    row: history.rows({ gpuKey: keyOf(0) }).newestRow + 1,
    life: 2,
    atMs: now.atMs - 5000,
    monotonicMs: now.monotonicMs - 5000,
    values: seriesNames.map(() => 1),
    reasons: 0,
    absence: null,
  });

  expect(gpusOf(restarted)[0]?.gaps).toMatchObject([{ why: 'agentNotRunning' }]);
});

describe('a clock that was set', () => {
  const { history } = nodeOf([() => undefined]);
  for (let ageMs = 20 * minute; ageMs > 0; ageMs -= 10_000) {
    const setByMs = ageMs > 10 * minute ? -3 * hour : 0;
    history?.rows({ gpuKey: keyOf(0) });
    addAt(ageMs, setByMs);
  }

  function addAt(ageMs: number, setByMs: number): void {
    const values = seriesNames.map(() => 50);
    const at = { atMs: now.atMs - ageMs + setByMs, monotonicMs: now.monotonicMs - ageMs };
    (history as ReturnType<typeof historyOf>).add(keyOf(0), { ...at, values, reasons: 0, absence: null });
  }

  test('moves nothing on the axis, and is told', () => {
    const [one] = gpusOf({ history, snapshot: snapshot([gpu(0)]) });

    expect(one?.covered).toMatchObject({ samples: 120, fromMs: now.atMs - 20 * minute - 10_000 });
    expect(one?.gaps).toEqual([]);
    expect(one?.clockJumps).toEqual([{ atMs: now.atMs - 10 * minute, byMs: 3 * hour }]);
  });
});

test('events are on the axis of their GPU; those of no GPU are of the node, those without a time are not placed', () => {
  const at = (ageMs: number | null) => ({ atMs: ageMs === null ? null : now.atMs - ageMs });
  const events = [
    xidEvent('0000:11:00', 31, at(40 * minute)),
    xidEvent('0000:11:00', 79, at(5 * minute)),
    xidEvent('0000:11:00', 48, at(null)),
    xidEvent('0000:99:00', 12, at(minute)),
  ];
  const node = nodeOf([() => calm, () => calm], events);
  const gpus = gpusOf(node);

  expect(gpus.map((each) => each.events.map(({ code }) => code))).toEqual([[], [79]]);
  expect(askTimeline({ a: node }).structured['rows']).toContainEqual(
    expect.objectContaining({ kind: 'nodeEvents', events: [expect.objectContaining({ code: 12 })] }),
  );
});
