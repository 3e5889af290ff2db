import { describe, expect, test } from 'vitest';

import { markLine, sparkline } from '../../src/tools/sparkline.ts';
import { changeOf, increaseOf, meanOf, quantileOf } from '../../src/tools/statistics.ts';
import { random } from '../support/answers.ts';

const even = (values: readonly number[]) => values.map((value) => ({ value, weight: 1 }));

describe.for([1, 2, 3])('statistics are what a naive computation says (%i)', (seed) => {
  const next = random(seed);
  const values = Array.from({ length: 500 }, () => Math.floor(next() * 100));
  const weights = values.map(() => 1 + Math.floor(next() * 9));
  /** Each value as often as it counts. */
  const spelledOut = values.flatMap((value, at) => new Array<number>(weights[at] ?? 0).fill(value));
  const weighted = values.map((value, at) => ({ value, weight: weights[at] ?? 0 }));

  test('mean', () => {
    const naive = spelledOut.reduce((sum, value) => sum + value, 0) / spelledOut.length;

    expect(meanOf(weighted)).toBeCloseTo(naive, 9);
  });

  test.for([0.01, 0.5, 0.95, 0.99, 1])('quantile %d by nearest rank', (share) => {
    const sorted = spelledOut.toSorted((a, b) => a - b);

    expect(quantileOf(weighted, share)).toBe(sorted[Math.ceil(share * sorted.length) - 1]);
  });
});

test('of nothing there is no statistic, and of what does not count neither', () => {
  expect([meanOf([]), quantileOf([], 0.95), changeOf([])]).toEqual([null, null, null]);
  expect(meanOf([{ value: 7, weight: 0 }])).toBeNull();
  expect(quantileOf([{ value: 7, weight: 0 }], 0.5)).toBeNull();
});

test('a change is that from the first fifth to the last, which one odd value does not make', () => {
  expect(changeOf(even([50, 50, 51, 52, 53, 54, 55, 56, 70, 70]))).toBe(20);
  expect(Math.abs(changeOf(even([...new Array(99).fill(50), 90])) ?? 0)).toBe(2);
  expect(changeOf(even([1, 2, 3]))).toBeNull();
});

test('a counter has grown by all its steps; one that was set back has grown by what it shows since', () => {
  const samples = (values: readonly number[]) => values.map((value) => ({ min: value, max: value }));

  expect(increaseOf(samples([100, 105, 105, 111]))).toBe(11);
  expect(increaseOf(samples([100, 105, 3, 4]))).toBe(5 + 3 + 1);
  expect(
    increaseOf([
      { min: 100, max: 140 },
      { min: 150, max: 160 },
    ]),
  ).toBe(60);
  expect(
    increaseOf([
      { min: 100, max: 140 },
      { min: 0, max: 200 },
      { min: 7, max: 9 },
    ]),
  ).toBe(7 + 2);
  expect(increaseOf([])).toBe(0);
});

test('a sparkline is as long as its values, from the lowest level to the highest, and a gap is no low value', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], { min: 0, max: 8 })).toBe('▁▂▃▄▅▆▇██');
  expect(sparkline([0, null, 8], { min: 0, max: 8 })).toBe('▁·█');
  expect(sparkline([5, 5, null], { min: 5, max: 5 })).toBe('▁▁·');
  expect(sparkline([-3, 120], { min: 0, max: 100 })).toBe('▁█');
  expect(sparkline([], { min: 0, max: 1 })).toBe('');
});

test('every level takes an equal share of the scale', () => {
  const line = sparkline(
    Array.from({ length: 800 }, (_, at) => at),
    { min: 0, max: 800 },
  );

  for (const level of '▁▂▃▄▅▆▇█') expect(line.split(level).length - 1).toBe(100);
});

test('marks stand under the column that they are of', () => {
  const none = [false, false, false, false];

  expect(markLine([false, true, true, false], [false, false, true, true])).toBe(' T*X');
  expect(markLine(none, none)).toBe('    ');
});
