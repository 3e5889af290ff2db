import { expect, test } from 'vitest';

import { metrics } from '../../src/tools/metrics.ts';
import { ask, lines } from '../support/answers.ts';
import { gpu, nowMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const busy = { utilization: { gpuPercent: 90, memoryPercent: 10 }, powerWatts: 600, temperatureC: 50 };
const mute = { powerWatts: { missing: 'nvmlReturn999' }, utilization: { missing: 'nvmlReturn999' } } as const;

const broken = snapshot([
  gpu(0, busy),
  unreadableGpu(1, 'gpuLost', {}, { trouble: 'lost' }),
  unreadableGpu(2, 'resetRequired', { name: 'NVIDIA H100 80GB HBM3' }),
  gpu(3, { ...busy, ...mute }),
]);

test('a sum or mean says of how many GPUs it is', () => {
  const [head, ...rows] = lines(metrics, { a: broken });

  expect(head).toMatch(/^4 GPUs on 1 node: 90 % busy on average \(1 of 4 GPUs\), /);
  expect(head).toContain('40 GiB of 160 GiB used (2 of 4 GPUs), 600 W of 1 of 4 GPUs.');
  expect(rows.find((row) => row.startsWith('a: 4 GPUs'))).toBe(
    'a: 4 GPUs: 90 % busy (1 of 4 GPUs), 25 % of memory used (2 of 4 GPUs), 50 °C (2 of 4 GPUs), 600 W (1 of 4 GPUs)',
  );
});

test('GPUs of which values cannot be read are named with the reasons, those of many nodes in one line', () => {
  const text = ask(metrics, { a: broken, b: broken, c: snapshot([gpu(0, busy), gpu(1, busy)]) }).text;

  expect(text).toContain('a,b GPU 3: cannot be read: utilization powerWatts (nvmlReturn999)');
  expect(text).toMatch(/^a,b GPU 2: cannot be read: \w+ \w+ \w+ \w+ and \d+ more \(resetRequired\)$/m);
});

test('values of a hung GPU, and such as are long not read anew, are in no sum and no ranking', () => {
  const old = { ...busy, powerWatts: 700, temperatureC: 80 };
  const [head, ...rows] = lines(metrics, {
    a: snapshot([gpu(0, busy), gpu(1, old, { trouble: 'hung' }), gpu(2, old, { readAtMs: nowMs - 45_000 })]),
  });

  expect(head).toContain(
    '600 W of 1 of 3 GPUs. The values of 2 GPUs are old: they are in no sum and no ranking.',
  );
  expect(rows).toContain('a GPU 2: values are 45 s old, and in no sum and no ranking');
  expect(rows).toContain('highest power: a GPU 0 600 W');
  expect(rows).toContain('hottest: a GPU 0 50 °C');
});

test('an agent that takes a sample each ten minutes has no old values for that', () => {
  const rare = { readAtMs: nowMs - 500_000 };
  const [head] = lines(metrics, { a: snapshot([gpu(0, busy, rare), gpu(1, busy, rare)]) });

  expect(head).toContain('1200 W in all');
});

test('what a board does not have is no failure', () => {
  const mig = { utilization: { missing: 'notSupported' }, fanPercents: { missing: 'noPermission' } } as const;
  const text = ask(metrics, { a: snapshot([gpu(0, busy), gpu(1, { ...busy, ...mig })]) }).text;

  expect(text).not.toContain('cannot be read');
  expect(text).toContain('90 % busy on average (1 of 2 GPUs)');
  expect(text).toContain('1200 W in all.');
});

test('a time that could not be read is not said to be none', () => {
  const failed = { missing: 'nvmlReturn999' } as const;
  const text = (given: object) => ask(metrics, { a: snapshot([gpu(0, given)]) }, { detail: 'full' }).text;

  expect(text({})).toContain('held down since driver load: never,');
  expect(text({ thermalViolationSeconds: failed, powerViolationSeconds: failed })).toContain(
    'held down since driver load: never, as far as read (2 not)',
  );
});
