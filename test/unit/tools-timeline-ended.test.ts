import { describe, expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import type { Absence } from '../../src/core/history.ts';
import { GpuBook } from '../../src/server/gpu-book.ts';
import { gpu, snapshot } from '../support/gpus.ts';
import { historyOf, keyOf, type Shows } from '../support/history.ts';
import { askTimeline, calm, gpusOf, nodeOf, type TimelineNode } from '../support/timelines.ts';

const minute = 60_000;

/** Warmer and warmer, beyond its threshold, until it is no more. */
const ending =
  (absence?: Absence): Shows =>
  (ageMs) => {
    if (ageMs <= 5 * minute) return absence && { absence };
    return { ...calm, temperatureC: 95 - ageMs / minute, energyJoules: 1e6 - ageMs / 1000 };
  };

const lineOf = (node: TimelineNode, series: string, given: object = {}) =>
  askTimeline({ a: node }, given)
    .text.split('\n')
    .find((line) => line.startsWith(`  ${series} `)) ?? '';

describe('a threshold that was reached is told although the GPU can no longer be read', () => {
  const ends: Record<string, (book: GpuBook) => void> = {
    driverUnavailable: (book) => book.driverGone(),
    lost: (book) => book.read(1, unreadable('gpuLost')),
    vanished: (book) => {
      book.driverGone();
      book.begin(1);
      book.read(0, gpu(0).readings);
    },
    hung: (book) => {
      book.begin(2);
      book.read(0, gpu(0).readings);
      book.hung(1, 0);
    },
  };

  test.for(Object.entries(ends))('%s', ([absence, end]) => {
    const book = new GpuBook(() => 0, 5000);
    book.begin(2);
    for (const index of [0, 1]) book.read(index, gpu(index).readings);
    end(book);
    const history = historyOf({ [keyOf(0)]: () => calm, [keyOf(1)]: ending(absence as Absence) });
    const one = gpusOf({ history, snapshot: snapshot(book.gpus) })[1];

    expect(one?.crossings).toMatchObject([{ what: 'slowdown temperature', threshold: 89, harmless: false }]);
    expect(Object.keys(one?.unchecked ?? {})).toEqual(['95 % of the memory']);
  });
});

describe('what a GPU showed last', () => {
  test('of one series is told with why there is no more of it: MIG was turned on', () => {
    const { gpuUtilizationPercent: _, ...rest } = calm;
    const ends: Shows = (ageMs) => (ageMs > 10 * minute ? calm : rest);
    const underMig = gpu(0, { utilization: { missing: 'notSupported' } });
    const node = { ...nodeOf([ends]), snapshot: snapshot([underMig]) };

    expect(lineOf(node, 'gpuUtilizationPercent')).toContain(', last 60 % (since then notSupported)');
    expect(lineOf(node, 'temperatureC')).not.toContain('since then');
  });

  test('is now as long as it is sampled', () => {
    const rising: Shows = (ageMs) => ({ ...calm, temperatureC: 90 - ageMs / minute });

    expect(lineOf(nodeOf([rising]), 'temperatureC')).toMatch(/, now 89.8 °C, rising by 23.9 °C$/);
  });

  test.for([undefined, 'hung', 'driverUnavailable'] as const)(
    'is not now where samples have ended: %s',
    (absence) => {
      const node = nodeOf([ending(absence)]);

      expect(lineOf(node, 'temperatureC')).toMatch(/, last 89.8 °C, rising by 19.9 °C until then$/);
      expect(lineOf(node, 'energyJoules', { series: ['energyJoules'] })).toMatch(/, last 999690 J$/);
    },
  );

  test.for(['hung', 'lost', 'vanished'] as const)(
    'is not now of a GPU that is %s, from the first moment on',
    (trouble) => {
      const { history } = nodeOf([(ageMs) => ({ ...calm, temperatureC: 90 - ageMs / minute })]);
      const node = { history, snapshot: snapshot([gpu(0, {}, { trouble })]) };

      expect(lineOf(node, 'temperatureC')).toMatch(/, last 89.8 °C, rising by 23.9 °C until then$/);
    },
  );

  test('is not now of a series that has ended before the others', () => {
    const { temperatureC: _, ...others } = calm;
    const node = nodeOf([
      (ageMs) => ({
        ...others,
        powerWatts: 300 + (ageMs % 70_000) / 1000,
        ...(ageMs > 5 * minute && { temperatureC: 60 }),
      }),
    ]);

    expect(lineOf(node, 'temperatureC')).toMatch(/, last 60 °C, steady until then$/);
    expect(lineOf(node, 'powerWatts')).toMatch(/, now [\d.]+ W, steady$/);
  });

  test('is now again of a GPU that was away for a while', () => {
    const away: Shows = (ageMs) => (ageMs < 10 * minute && ageMs > 5 * minute ? { absence: 'hung' } : calm);

    expect(lineOf(nodeOf([away]), 'temperatureC')).toMatch(/, now 55 °C, steady$/);
  });
});

test('in lines that are short, a GPU that has vanished and the one that has its index are told by their addresses', () => {
  const hot: Shows = () => ({ ...calm, temperatureC: 91 });
  const history = historyOf(Object.fromEntries([0, 1, 2, 3].map((index) => [keyOf(index), hot])));
  const hung = [0, 1, 2, 3].map((index) => gpu(index, {}, { trouble: 'hung' }));
  const taken = [gpu(0), { ...gpu(2), index: 1 }, gpu(1, {}, { trouble: 'vanished' })];
  const left = [gpu(0), gpu(1, {}, { trouble: 'vanished' })];
  const nodes = { a: hung, b: taken, c: left };

  const { text } = askTimeline(
    Object.fromEntries(
      Object.entries(nodes).map(([name, gpus]) => [name, { history, snapshot: snapshot(gpus) }]),
    ),
  );

  const heads = text.split('\n').flatMap((line) => /^[bc] GPU .*?(?=: )/.exec(line) ?? []);
  expect(heads.sort()).toEqual([
    'b GPU 0',
    'b GPU 1 (PCI 0000:11:00.0)',
    'b GPU 1 (PCI 0000:18:00.0)',
    'c GPU 0',
    'c GPU 1 (PCI 0000:11:00.0)',
  ]);
});
