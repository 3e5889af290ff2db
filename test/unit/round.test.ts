import { expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import { Mistaken, Round } from '../../src/server/round.ts';
import { metrics } from '../../src/tools/metrics.ts';
import { lines } from '../support/answers.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

test('a GPU that a long round has not come to is told to take as long, so that its values do not pass for fresh', () => {
  const round = new Round(0, 10_000);
  round.told(0, 500);
  const took = (atMs: number) => round.withLate([gpu(0), gpu(1)], atMs).map(({ tookMs }) => tookMs);

  expect(took(1500)).toEqual([undefined, undefined]);
  expect(took(11_000)).toEqual([undefined, 11_000]);
  expect(took(60_500)).toEqual([50_000, 60_500]); // it was to be read again in between
});

test('where the driver takes long for all GPUs no value is in a sum, though none is younger than the others', () => {
  const slow = { ...gpu(0, { powerWatts: 600 }, { readAtMs: nowMs - 150_000 }), tookMs: 150_000 };
  const [head, ...rows] = lines(metrics, { a: snapshot([slow, { ...slow, index: 1 }]) });

  expect(head).not.toContain('600 W');
  expect(head).toContain('The values of 2 GPUs are old: they are in no sum and no ranking.');
  expect(rows.join('\n')).not.toContain('hottest');
});

test('one GPU that says that the driver has gone away is believed once; all of them each time', () => {
  const gone = unreadable('driverUnavailable');
  const one = new Mistaken();
  expect([one.isTrue(0, gone, 2), one.isTrue(0, gone, 2), one.isTrue(1, gpu(1).readings, 2)]).toEqual([
    true,
    false,
    false,
  ]);
  one.isTrue(0, gpu(0).readings, 2);
  expect(one.isTrue(0, gone, 2)).toBe(true);

  const all = new Mistaken();
  for (const index of [0, 1]) all.isTrue(index, gone, 2);
  expect([all.isTrue(0, gone, 2), all.isTrue(1, gone, 2)]).toEqual([true, true]);
});
