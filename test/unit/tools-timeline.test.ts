import { describe, expect, test } from 'vitest';

import { seriesNames } from '../../src/core/history.ts';
import { xidEvent } from '../support/events.ts';
import { gpu, snapshot } from '../support/gpus.ts';
import { addSamples, historyOf, keyOf, now, type Shows } from '../support/history.ts';
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
  expect(one?.covered).toMatchObject({ samples: 179 });
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
  expect(seriesOf(one, 'temperatureC')?.points).toEqual(new Array(11).fill(55));
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

  test('of a GPU that tells margins the lowest counts, and each margin below which it came', () => {
    const shows: Shows = (ageMs) => ({ ...calm, temperatureMarginC: ageMs === 12 * minute ? -8 : 20 });
    const told = { slowdownMarginC: -2, shutdownMarginC: -5 };
    const { history } = nodeOf([shows]);
    const node = { history, snapshot: snapshot([gpu(0, told)]) };

    expect(gpusOf(node)[0]?.crossings).toMatchObject([
      { what: 'shutdown margin', threshold: -5, peak: -8 },
      { what: 'slowdown margin', threshold: -2, peak: -8 },
    ]);
    expect(askTimeline({ a: node }).text).toContain(
      'thresholds reached: temperatureMarginC reached shutdown margin of -5 °C, down to -8 °C, at ',
    );
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
    expect(text).toContain('memoryUsedBytes reached 95 % of the memory of 75 GiB, up to 78 GiB');
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

test('an event of the node is told also beside a GPU whose address is not known', () => {
  const killed = xidEvent('', 0, { kind: 'oomKill', code: null, pciSlot: null });
  const { history } = nodeOf([() => calm]);
  const nameless = snapshot([gpu(0, { pciAddress: { missing: 'gpuLost' } })]);

  const { structured } = askTimeline({ a: { history, snapshot: nameless, events: [killed] } });
  expect(structured['rows']).toContainEqual(
    expect.objectContaining({ kind: 'nodeEvents', events: [expect.objectContaining({ kind: 'oomKill' })] }),
  );
});

test('a second counts the same in the mean, whether it was sampled once or ten times in ten', () => {
  const history = historyOf({
    [keyOf(0)]: (ageMs) => (ageMs > 15 * minute ? { ...calm, powerWatts: 100 } : undefined),
  });
  for (let ageMs = 15 * minute; ageMs >= 1000; ageMs -= 1000)
    addSamples(history, { [keyOf(0)]: () => ({ ...calm, powerWatts: 300 }) }, ageMs);
  const [one] = gpusOf({ history, snapshot: snapshot([gpu(0)]) });

  expect(one?.covered?.samples).toBe(89 + 900);
  // Of all samples alike it would be 282.
  expect(Math.abs((seriesOf(one, 'powerWatts')?.mean ?? 0) - 200)).toBeLessThan(2);
  expect(one?.gaps).toEqual([]);
});
