import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { DeviceHolder, GpuProcess, GpuProcesses, NodeProcesses } from '../../src/core/process.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { processes } from '../../src/tools/processes.ts';
import { contextOf, noEvents } from '../support/answers.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

const gibibyte = 2 ** 30;
const node = snapshot([gpu(0), gpu(1)]); // 20 GiB used on each
const free = { totalBytes: 80 * gibibyte, reservedBytes: 0, usedBytes: 0, freeBytes: 80 * gibibyte };
/** GPU 1 holds nothing. */
const halfEmpty = snapshot([gpu(0), gpu(1, { memory: free })]);
const readable = { readable: true, reason: null };
const main: DeviceHolder = { namespace: 'ml', pod: 'train-0', container: 'main' };
const sampledAtMs = Date.parse('2026-11-26T11:59:59.000Z');
const container = { containerId: 'c0ffee00'.repeat(8), runtime: 'containerd' as const, podUid: '0a1b' };

function job(pid: number, given: Partial<GpuProcess> = {}): GpuProcess {
  return {
    pid,
    kinds: ['compute'],
    usedBytes: { value: 19.5 * gibibyte },
    gpuInstanceId: null,
    computeInstanceId: null,
    utilization: {
      value: { smPercent: 92, memoryPercent: 50, encoderPercent: 0, decoderPercent: 7, atMs: sampledAtMs },
    },
    onNode: {
      comm: { value: 'python3' },
      state: { value: 'R' },
      startedAtMs: { value: Date.parse('2026-11-26T11:00:00.000Z') },
      container: { value: container },
    },
    holders: [main],
    left: false,
    waitingMs: null,
    ...given,
  };
}

function runs(
  index: number,
  list: readonly GpuProcess[],
  holders: readonly DeviceHolder[] = [],
): GpuProcesses {
  return { index, readAtMs: nowMs - 20, processes: { value: list }, stuck: [], holders, offered: null };
}

function ask(
  gpus: readonly GpuProcesses[],
  given: object = {},
  podResources: NodeProcesses['podResources'] = readable,
  of = node,
) {
  const context = contextOf(of, noEvents, { gpus, podResources });
  const value = processes.output.parse(
    JSON.parse(JSON.stringify(processes.answer(parseArguments(processes.input, given), context))),
  );
  return present(processes, parseArguments(fleetInput(processes), given), [{ node: 'a', value }]).text.split(
    '\n',
  );
}

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

test('a GPU that a node without it is asked for is not found, also where the kubelet does not tell', () => {
  const silent = { readable: false, reason: 'there is no such socket' };

  expect(() => ask([runs(0, []), runs(1, [])], { gpu: 99 }, silent)).toThrow('no GPU 99 on a');
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

test('who holds a GPU that no longer lists its processes is told', () => {
  const waits = job(4001, { left: true });
  const stuck = [{ ...waits, onNode: { ...waits.onNode, state: { value: 'D' } } }];
  const text = ask([{ ...runs(0, []), processes: { missing: 'gpuLost' }, stuck }]);

  expect(text[1]).toMatch(/^stuck: a GPU 0: python3 \(pid 4001, compute\).* cannot be ended \(state D\)/);
  expect(text.join('\n')).toContain('which processes it has cannot be told (gpuLost)');
});

test('an agent outside of the PID namespace of the node says so, and what to set', () => {
  const none = { missing: 'noData' as const };
  const foreign = job(4001, {
    onNode: { comm: none, state: none, startedAtMs: none, container: none },
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

test('one GPU is asked for alone', () => {
  const text = ask([runs(0, [job(4001)]), runs(1, [job(4101)])], { gpu: 1 });

  expect(text.join('\n')).not.toContain('4001');
  expect(text[0]).toContain('1 process on 1 GPU');
});

test('a GPU that the kubelet cannot give to pods is told, whoever has it; where it does not tell, nothing is', () => {
  const healthy = { ...runs(0, []), offered: true };
  const takenOut = { ...runs(1, [job(4101)], [main]), offered: false };

  expect(ask([healthy, takenOut])).toContain(
    'not offered to pods: a GPU 1: the device plugin holds it for unhealthy, leaves it out, or is gone',
  );
  expect(ask([runs(0, []), runs(1, [])]).join('\n')).not.toContain('not offered');
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
  const waits = job(4001, { left: true, onNode: { ...job(1).onNode, state: { value: 'D' } } });
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
