import { expect, test } from 'vitest';

import { checkFigure, type Figure, median, meets, percentile } from '../bench/bench.ts';
import { table } from '../bench/table.ts';

test('the median of an odd number of runs is the one in the middle, whatever their order', () => {
  expect(median([9, 1, 5])).toBe(5);
});

test('the median of an even number of runs is one that was measured, not a mean', () => {
  expect(median([4, 1, 3, 2])).toBe(2);
});

test.for([
  [50, 50],
  [99, 99],
  [100, 100],
  [0, 1],
] as const)('percentile %i of 1 to 100 is %i, by nearest rank', ([percent, expected]) => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);

  expect(percentile(values, percent)).toBe(expected);
});

test('the 99th percentile of few values is the largest', () => {
  expect(percentile([1, 2, 300], 99)).toBe(300);
});

test('percentiles leave the runs in their order', () => {
  const runs = [3, 1, 2];

  percentile(runs, 50);

  expect(runs).toEqual([3, 1, 2]);
});

test.for([
  [{ atMost: 150 }, [150], true],
  [{ atMost: 150 }, [151], false],
  [{ atLeast: 6000 }, [6000], true],
  [{ atLeast: 6000 }, [5999], false],
  [{ above: 99 }, [100, 99.5], true],
  [{ above: 99 }, [100, 99], false],
  [{ above: 99 }, [100, 100, 50], false],
  [{ atMost: 150 }, [100, 100, 900], true],
  [{ atMost: 150 }, [100, 200, 200], false],
] as const)('%o with runs %o: %s', ([bound, runs, expected]) => {
  expect(meets({ what: 'a', unit: 'ms', runs, bound })).toBe(expected);
});

test('a figure without a bound neither meets nor misses one', () => {
  expect(meets({ what: 'a', unit: 'ms', runs: [1] })).toBeUndefined();
});

test.for([{ runs: [] }, { runs: [1, Number.NaN] }, { runs: [Number.POSITIVE_INFINITY] }])(
  'runs $runs are not a figure',
  ({ runs }) => {
    expect(() => checkFigure({ what: 'start', unit: 'ms', runs })).toThrow(/^start: not a figure/);
  },
);

test('the table shows median, spread, number of runs, bound and verdict', () => {
  const figures: Figure[] = [
    { what: 'start', unit: 'ms', runs: [120, 101.26, 99], bound: { atMost: 150 } },
    { what: 'rate', unit: 'calls/s', runs: [5123.4, 4987], bound: { atLeast: 6000 } },
    { what: 'snapshot', unit: 'ms', runs: [0.041_26] },
  ];

  const [head, , ...rows] = table(figures)
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
  expect(head).toBe('| what | median | min – max (runs) | unit | bound | |');
  expect(rows).toEqual([
    '| start | 101 | 99 – 120 (3) | ms | ≤ 150 | met |',
    '| rate | 4,990 | 4,990 – 5,120 (2) | calls/s | ≥ 6,000 | MISSED |',
    '| snapshot | 0.041 | 0.041 – 0.041 (1) | ms | | |',
  ]);
});
