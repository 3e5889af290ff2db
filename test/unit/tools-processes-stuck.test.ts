import { expect, test } from 'vitest';

import { ask, halfEmpty, job, readable, runs } from '../support/gpu-processes.ts';

test('a process that cannot be ended comes first, with what to do', () => {
  const dead = job(4001, {
    left: true,
    waitingMs: 120_000,
    onNode: { ...job(1).onNode, state: { value: 'D' } },
  });
  const [, first] = ask([runs(0, [job(4002)]), runs(1, [dead])]);

  expect(first).toMatch(
    /^stuck: a GPU 1: python3 \(pid 4001, compute\).*waits in the kernel and cannot be ended \(state D\) at every look for 2 min, no longer listed by the driver\. It may hold the GPU: reboot/,
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
  const waits = job(4001, { left: true, waitingMs: 120_000 });
  const stuck = [{ ...waits, onNode: { ...waits.onNode, state: { value: 'D' } } }];
  const text = ask([{ ...runs(0, []), processes: { missing: 'gpuLost' }, stuck }]);

  expect(text[1]).toMatch(/^stuck: a GPU 0: python3 \(pid 4001, compute\).* cannot be ended \(state D\)/);
  expect(text.join('\n')).toContain('which processes it has cannot be told (gpuLost)');
});

test('the usual holder sleeps in its first thread, and hangs in another: that is said', () => {
  const holder = job(4001, { waitingMs: 120_000, onNode: { ...job(1).onNode, state: { value: 'S' } } });

  expect(ask([runs(0, [holder]), runs(1, [])])[1]).toMatch(
    /^stuck: a GPU 0: python3 \(pid 4001.*, one of its threads waits in the kernel and cannot be ended \(state D\) at every look for 2 min\. It may hold the GPU: reboot/,
  );
});

test('a process that left the list and is on its way out is not said to be stuck', () => {
  const ends = { left: true, onNode: { ...job(1).onNode, state: { value: 'D' } } };
  const list = [job(4001, { ...ends, waitingMs: 0 }), job(4002, { ...ends, waitingMs: 59_000 })];

  const text = ask([runs(0, list), runs(1, [])]);

  expect(text.join('\n')).not.toMatch(/stuck|reboot|cannot be ended/);
  expect(text[1]).toMatch(
    /python3 \(pid 4001.*, no longer listed by the driver; python3 \(pid 4002.*, no longer/,
  );
});

test('a zombie is told with what to do, which is not to reboot, and holds no memory', () => {
  const zombie = job(4001, { left: true, onNode: { ...job(1).onNode, state: { value: 'Z' } } });

  const [, first, second] = ask([runs(0, [zombie]), runs(1, [])], {}, readable, halfEmpty);

  const told =
    'python3 (pid 4001, compute), started 60 min ago, pod ml/train-0 container main (container c0ffee00c0ff of containerd in pod UID 0a1b), has ended; its parent has to collect it (ps -o ppid= -p 4001), no longer listed by the driver';
  expect(first).toBe(`zombie: a GPU 0: ${told}`);
  expect(second).toBe(
    `a GPU 0 (NVIDIA H100 80GB HBM3, 20 GiB used): ${told}; 20 GiB held by no process that is listed`,
  );
});
