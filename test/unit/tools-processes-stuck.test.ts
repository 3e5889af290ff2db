import { expect, test } from 'vitest';

import { ask, job, runs } from '../support/gpu-processes.ts';

test('a process that cannot be ended comes first, with what to do', () => {
  const dead = job(4001, { left: true, onNode: { ...job(1).onNode, state: { value: 'D' } } });
  const [, first] = ask([runs(0, [job(4002)]), runs(1, [dead])]);

  expect(first).toMatch(
    /^stuck: a GPU 1: python3 \(pid 4001, compute\).*waits in the kernel and cannot be ended \(state D\), no longer listed by the driver\. It may hold the GPU: reboot/,
  );
});

test('a process that waits in the kernel while the driver lists it is at work, and not stuck', () => {
  const waits = job(4001, { onNode: { ...job(1).onNode, state: { value: 'D' } } });

  expect(ask([runs(0, [waits]), runs(1, [])]).join('\n')).not.toContain('stuck');
});

test('a process that every look for a minute found in the kernel is told, also while the driver lists it', () => {
  const waits = { onNode: { ...job(1).onNode, state: { value: 'D' } } };
  const list = [job(4001, { ...waits, waitingMs: 60_000.3 }), job(4002, { ...waits, waitingMs: 59_000 })];

  const stuck = ask([runs(0, list), runs(1, [])]).filter((line) => line.startsWith('stuck'));

  expect(stuck).toHaveLength(1);
  expect(stuck[0]).toMatch(/pid 4001.*cannot be ended \(state D\) at every look for 60 s\. It may hold/);
});

test('who holds a GPU that no longer lists its processes is told', () => {
  const waits = job(4001, { left: true });
  const stuck = [{ ...waits, onNode: { ...waits.onNode, state: { value: 'D' } } }];
  const text = ask([{ ...runs(0, []), processes: { missing: 'gpuLost' }, stuck }]);

  expect(text[1]).toMatch(/^stuck: a GPU 0: python3 \(pid 4001, compute\).* cannot be ended \(state D\)/);
  expect(text.join('\n')).toContain('which processes it has cannot be told (gpuLost)');
});
