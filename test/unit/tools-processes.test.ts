import { expect, test } from 'vitest';

import type { DeviceHolder } from '../../src/core/process.ts';
import { ask, free, gibibyte, job, main, readable, runs } from '../support/gpu-processes.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

test('a process is told with its program, memory, utilisation, age, pod and container', () => {
  const [head, row] = ask([runs(0, [job(4001)], [main]), runs(1, [job(4101)])]);

  expect(head).toBe('2 processes on 2 GPUs of 1 node. Asked at most 20 ms ago.');
  expect(row).toBe(
    'a GPU 0 (NVIDIA H100 80GB HBM3, 20 GiB used): python3 (pid 4001, compute), 19.5 GiB, SM 92 % (memory 50 %), decoder 7 %, running for 60 min, pod ml/train-0 container main (container c0ffee00c0ff of containerd in pod UID 0a1b)',
  );
});

test('of a GPU that several containers share the pod is not guessed', () => {
  const other = { ...main, pod: 'train-1' };
  const [, row] = ask([runs(0, [job(4001, { holders: [main, other] })]), runs(1, [])]);

  expect(row).toContain(
    'one of the pods ml/train-0 container main or ml/train-1 container main (container c0ffee00c0ff',
  );
});

test('a process of no container is called so, whoever was given the GPU', () => {
  const host = job(4001, { onNode: { ...job(1).onNode, container: { value: null } } });

  expect(ask([runs(0, [host]), runs(1, [])])[1]).toContain(', of no container');
});

test('a GPU that a node without it is asked for is not found, also where the kubelet does not tell', () => {
  const silent = { readable: false, reason: 'there is no such socket' };

  expect(() => ask([runs(0, []), runs(1, [])], { gpu: 99 }, silent)).toThrow('no GPU 99 on a');
});

test('memory that no listed process holds is said', () => {
  const text = ask([runs(0, [job(4001, { usedBytes: { value: gibibyte } })]), runs(1, [])]);

  expect(text[1]).toContain('; 19 GiB held by no process that is listed');
  expect(text[2]).toBe(
    'a GPU 1 (NVIDIA H100 80GB HBM3, 20 GiB used): 20 GiB held by no process that is listed',
  );
});

test('a GPU whose processes cannot be told is not called unused', () => {
  const text = ask([{ ...runs(0, []), processes: { missing: 'noPermission' } }, runs(1, [job(4101)])]);

  expect(text.join('\n')).toContain(
    'a GPU 0 (NVIDIA H100 80GB HBM3, 20 GiB used): which processes it has cannot be told (noPermission)',
  );
});

test('an agent outside of the PID namespace of the node says so, and what to set', () => {
  const none = { missing: 'noData' as const };
  const foreign = job(4001, {
    onNode: { comm: none, state: none, startedAtMs: none, startTick: null, container: none },
    holders: [],
  });

  const text = ask([runs(0, [foreign]), runs(1, [])]).join('\n');

  expect(text).toContain(
    'unknown program (pid 4001, compute), 19.5 GiB, SM 92 % (memory 50 %), decoder 7 %, whose it is cannot be told',
  );
  expect(text).toContain('outside of the node');
  expect(text).toContain('hostPID');
});

test('why the kubelet tells nothing is said', () => {
  const text = ask(
    [runs(0, [job(4001)]), runs(1, [])],
    {},
    { readable: false, reason: 'there is no such socket' },
  );

  expect(text.at(-1)).toBe(
    'a: the kubelet does not tell which pod was given which GPU: there is no such socket',
  );
});

test('that the kubelet last told long ago who was given what is said', () => {
  const toldBefore = (ageMs: number) => ask([runs(0, [job(4001)]), runs(1, [])], {}, { ...readable, ageMs });

  expect(toldBefore(14_000).at(-1)).toBe(
    'a: which pod was given which GPU is as the kubelet told it 14 s ago',
  );
  expect(toldBefore(10_000).join('\n')).not.toContain('kubelet');
});

test('processes whose pids the driver cannot translate are several, as is a process on two GPUs not', () => {
  expect(ask([runs(0, [job(0), job(0)]), runs(1, [job(0)])])[0]).toMatch(/^3 processes on 2 GPUs/);
  expect(ask([runs(0, [job(4001)]), runs(1, [job(4001)])])[0]).toMatch(/^1 process on 2 GPUs/);
});

test('one GPU is asked for alone', () => {
  const text = ask([runs(0, [job(4001)]), runs(1, [job(4101)])], { gpu: 1 });

  expect(text.join('\n')).not.toContain('4001');
  expect(text[0]).toContain('1 process on 1 GPU');
});

test('a GPU that hangs is told to, with the age of its list', () => {
  const hung = snapshot([gpu(0, {}, { trouble: 'hung' }), gpu(1)]);
  const list = { ...runs(0, [job(4001)]), readAtMs: nowMs - 13_000 };

  const text = ask([list, runs(1, [])], {}, readable, hung).join('\n');

  expect(text).toMatch(
    /GPU 0 \(.*\): HUNG: a driver call on it does not return, for 3 min: as of 13 s ago: python3 \(pid 4001/,
  );
});

test('a GPU that hangs is not said to have no process, as nobody knows that', () => {
  const hung = snapshot([gpu(0, { memory: free }, { trouble: 'hung' }), gpu(1, {}, { trouble: 'hung' })]);
  const unanswered = { ...runs(1, []), readAtMs: null, processes: { missing: 'notReady' as const } };

  const text = ask([runs(0, []), unanswered], {}, readable, hung).join('\n');

  expect(text).not.toMatch(/^no process/m);
  expect(text).toMatch(/GPU 0 \(.*\): HUNG: .*: as of 20 ms ago: no process$/m);
  expect(text).toMatch(/GPU 1 \(.*\): HUNG: .* cannot be told \(notReady: the driver has not answered\)/);
});

test('where two GPUs have one index, as one has gone, each is told with its PCI address', () => {
  const gone = gpu(1, {}, { trouble: 'vanished', readAtMs: null });
  const waits = job(4001, {
    left: true,
    waitingMs: 120_000,
    onNode: { ...job(1).onNode, state: { value: 'D' } },
  });
  const unlisted = { processes: { missing: 'gpuLost' as const }, stuck: [waits], offered: false };
  const list = [runs(0, [job(7)]), runs(1, [], [main]), { ...runs(1, []), ...unlisted }];
  const renumbered = snapshot([gpu(0), { ...gpu(2, { memory: free }), index: 1 }, gone]);

  const text = ask(list, {}, readable, renumbered).join('\n');

  expect(text).toContain('\nstuck: a GPU 1 at PCI 0000:11:00.0: python3 (pid 4001');
  expect(text).toContain('\na GPU 0 (');
  expect(text).toMatch(/^a GPU 1 at PCI 0000:11:00.0 \(.*VANISHED.* cannot be told \(gpuLost\)/m);
  expect(text).toContain('\nheld and unused: a GPU 1 at PCI 0000:18:00.0: ml/train-0');
  expect(text).toContain('\nnot offered to pods: a GPU 1 at PCI 0000:11:00.0: ');
});

test('a process on two GPUs that were given to two pods is not said to be of the one here and of the other there', () => {
  const other: DeviceHolder = { ...main, pod: 'train-1' };
  const list = (pid: number) => [
    runs(0, [job(pid), job(4002)], [main]),
    runs(1, [job(pid, { holders: [other] })], [other]),
  ];

  const text = ask(list(4001)).join('\n');
  expect(text).toContain('pod ml/train-0 container main, or another one whose processes use this GPU');
  expect(text).toContain('pod ml/train-1 container main, or another one whose processes use this GPU');
  expect(text).toMatch(/pid 4002.*, pod ml\/train-0 container main \(/);

  expect(ask(list(4001), { gpu: 1 })[1]).toContain('ml/train-1 container main, or another one'); // whichever is asked for
  expect(ask(list(0)).join('\n')).not.toContain('or another one'); // pids that the driver cannot translate
});
