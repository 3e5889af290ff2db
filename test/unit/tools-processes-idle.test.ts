import { expect, test } from 'vitest';

import type { DeviceHolder } from '../../src/core/process.ts';
import { ask, free, halfEmpty, job, main, readable, runs } from '../support/gpu-processes.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

test('a GPU that a pod holds and does not use is named with the pod', () => {
  const text = ask([runs(0, [job(4001)]), runs(1, [], [main])], {}, readable, halfEmpty);

  expect(text).toContain('held and unused: a GPU 1: ml/train-0 container main');
});

test('a GPU whose memory no listed process explains, or that hangs, is not said to be held and unused', () => {
  const list = [runs(0, [], [main]), runs(1, [], [main])];
  const hung = snapshot([gpu(0), gpu(1, { memory: free }, { trouble: 'hung' })]);

  const text = ask(list, {}, readable, hung);

  expect(text.join('\n')).not.toContain('held and unused');
  expect(text[1]).toMatch(
    /GPU 0 .*: 20 GiB held by no process that is listed; given to ml\/train-0 container main$/,
  );
  expect(text[2]).toMatch(/GPU 1 .*HUNG: .*: no process; given to ml\/train-0 container main$/);
});

test('a part that a pod holds and does not use is named with the pod, though another part is used', () => {
  const within = (pod: string, gpuInstanceId: number | null): DeviceHolder => ({
    ...main,
    pod,
    part: { device: `gpu-0-mig-${pod}`, gpuInstanceId, computeInstanceId: 0 },
  });
  const list = [job(4001, { gpuInstanceId: 7, computeInstanceId: 0 })];

  const text = ask([
    runs(0, list, [within('used', 7), within('idle', 8), within('untold', null)]),
    runs(1, []),
  ]);

  expect(text.filter((line) => line.startsWith('held'))).toEqual([
    'held and unused: a GPU 0: ml/idle container main (GPU instance 8 compute instance 0)',
  ]);
  expect(ask([runs(0, []), runs(1, [], [within('untold', null)])], {}, readable, halfEmpty)).toContain(
    'held and unused: a GPU 1: ml/untold container main (gpu-0-mig-untold)',
  );
});

test('a GPU that the kubelet cannot give to pods is told, whoever has it; where it does not tell, nothing is', () => {
  const healthy = { ...runs(0, []), offered: true };
  const takenOut = { ...runs(1, [job(4101)], [main]), offered: false };

  expect(ask([healthy, takenOut])).toContain(
    'not offered to pods: a GPU 1: the device plugin holds it for unhealthy, leaves it out, or is gone',
  );
  expect(ask([runs(0, []), runs(1, [])]).join('\n')).not.toContain('not offered');
});

test('a list that is not of now does not say who is not there: the driver may not have answered since a pod began', () => {
  const old = { ...runs(1, [], [main]), readAtMs: nowMs - 45_000 };

  const text = ask([runs(0, [job(7)]), old], {}, readable, halfEmpty).join('\n');

  expect(text).not.toMatch(/held and unused|^no process/m);
  expect(text).toMatch(/^a GPU 1 \(.*\): as of 45 s ago: no process; given to ml\/train-0 container main$/m);
});
