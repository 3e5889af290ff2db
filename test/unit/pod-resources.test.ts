import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';

import { holders } from '../../src/server/pod-holders.ts';
import { allocationsIn, watchAllocations } from '../../src/server/pod-resources.ts';
import { gpu } from '../support/gpus.ts';
import { type GivenContainer, listAnswer, startFakeKubelet } from '../support/pod-resources.ts';

const uuid = (index: number) => `GPU-00000000-0000-0000-0000-00000000000${index}`;
/** The device file of the last has a number that is not its index. */
const gpus = [gpu(0), gpu(1), gpu(2, { minorNumber: 7 })];

/** As NVIDIA's DRA driver names a device. */
function nvidiaClaimed(device: string) {
  return { driver: 'gpu.nvidia.com', device, cdi: [`k8s.gpu.nvidia.com/claim=1d2f-${device}`] };
}

/** The pod that has each of three GPUs. */
function podsOf(containers: readonly GivenContainer[]): (string | undefined)[] {
  const holderOf = holders(allocationsIn(listAnswer(containers)));
  return gpus.map((one) => holderOf(one)?.pod);
}

function told() {
  const lines: { level: string; msg: string; reason?: string }[] = [];
  const at =
    (level: string) =>
    (msg: string, fields: object = {}) =>
      void lines.push({ level, msg, ...fields });
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

test('an answer of the kubelet says which container has which GPU', () => {
  const holderOf = holders(
    allocationsIn(
      listAnswer([{ namespace: 'team-a', pod: 'train-0', container: 'cuda', devices: [uuid(1)] }]),
    ),
  );

  expect(gpus.map(holderOf)).toEqual([
    undefined,
    { namespace: 'team-a', pod: 'train-0', container: 'cuda' },
    undefined,
  ]);
});

test.for<[what: string, container: GivenContainer, expected: (string | undefined)[]]>([
  ['two GPUs of one container', { pod: 'a', devices: [uuid(0), uuid(2)] }, ['a', undefined, 'a']],
  ['a replica under time slicing', { pod: 'a', devices: [`${uuid(1)}::3`] }, [undefined, 'a', undefined]],
  [
    'two replicas of one GPU',
    { pod: 'a', devices: [`${uuid(1)}::0`, `${uuid(1)}::1`] },
    [undefined, 'a', undefined],
  ],
  ['GKE', { pod: 'a', devices: ['nvidia7'] }, [undefined, undefined, 'a']],
  ['a replica on GKE', { pod: 'a', devices: ['nvidia7/vgpu1'] }, [undefined, undefined, 'a']],
  ['an instance on GKE', { pod: 'a', devices: ['nvidia7/gi1'] }, Array(3).fill(undefined)],
  [
    'an instance that names its GPU',
    { pod: 'a', resource: 'nvidia.com/mig-1g.10gb', devices: [`MIG-${uuid(0)}/1/0`] },
    Array(3).fill(undefined),
  ],
  ['an instance that does not', { pod: 'a', devices: [`MIG-${uuid(0).slice(4)}`] }, Array(3).fill(undefined)],
  [
    'a claim whose CDI name tells the GPU',
    { pod: 'a', claimed: [{ cdi: [`nvidia.com/gpu=${uuid(1)}`] }] },
    [undefined, 'a', undefined],
  ],
  [
    'a claim of NVIDIA’s driver, which counts by minor number',
    { pod: 'a', claimed: [nvidiaClaimed('gpu-7')] },
    [undefined, undefined, 'a'],
  ],
  [
    'a claim that names the GPU both ways',
    { pod: 'a', claimed: [{ ...nvidiaClaimed('gpu-7'), cdi: [`nvidia.com/gpu=${uuid(2)}`] }] },
    [undefined, undefined, 'a'],
  ],
  [
    'a claim of an instance',
    { pod: 'a', claimed: [nvidiaClaimed('gpu-7-mig-1g10gb-19-0')] },
    Array(3).fill(undefined),
  ],
  [
    'a claim of a GPU for a virtual machine',
    { pod: 'a', claimed: [nvidiaClaimed('gpu-vfio-0')] },
    Array(3).fill(undefined),
  ],
  [
    'a claim of another driver’s device',
    { pod: 'a', claimed: [{ driver: 'gpu.example.com', device: 'gpu-0', cdi: ['example.com/gpu=gpu-0'] }] },
    Array(3).fill(undefined),
  ],
  [
    'a device of another maker',
    { pod: 'a', resource: 'example.com/gpu', devices: [uuid(0)] },
    Array(3).fill(undefined),
  ],
  ['a pod without devices', { pod: 'a' }, Array(3).fill(undefined)],
])('%s', ([, container, expected]) => {
  expect(podsOf([container])).toEqual(expected);
});

test('a GPU that two containers share is nobody’s alone', () => {
  expect(
    podsOf([
      { pod: 'a', devices: [`${uuid(0)}::0`, uuid(1)] },
      { pod: 'b', devices: [`${uuid(0)}::1`] },
    ]),
  ).toEqual([undefined, 'a', undefined]);
});

/** Who has a GPU, by what the kubelet said last; undefined while it says nothing. */
function whoHas(...args: Parameters<typeof watchAllocations>) {
  const { allocations } = watchAllocations(...args);
  return () => {
    const now = allocations();
    return 'reason' in now ? undefined : holders(now.allocations);
  };
}

test('the kubelet is asked over its socket, again and again, and agents are not taken for users', async () => {
  const { log, lines } = told();
  const kubelet = await startFakeKubelet([{ pod: 'a', devices: [uuid(0)] }]);

  const who = whoHas(kubelet.socket, { pod: 'my-agent-x7k2p', intervalMs: 10, log });
  await expect.poll(() => who()?.(gpu(0))?.pod).toBe('a');
  const claimed = [0, 1].map((minor) => nvidiaClaimed(`gpu-${minor}`));
  kubelet.answer([
    { pod: 'b', devices: [uuid(0)] },
    { pod: 'my-agent-x7k2p', claimed },
    { pod: 'my-agent-9zb4c', claimed }, // takes its place
  ]);
  await expect.poll(() => who()?.(gpu(0))?.pod).toBe('b');

  expect(who()?.(gpu(1))).toBeUndefined();
  expect(kubelet.calls()).toBeGreaterThan(1);
  expect(lines).toEqual([]);
});

test('a kubelet that refuses, is absent or returns is told, each once', async () => {
  const { log, lines } = told();
  const kubelet = await startFakeKubelet([{ pod: 'a', devices: [uuid(0)] }]);
  const who = whoHas(kubelet.socket, { pod: 'agent-x', intervalMs: 10, log });
  await expect.poll(() => who()?.(gpu(0))?.pod).toBe('a');

  kubelet.answer({ details: 'not now, 100 % sure' });
  await expect.poll(() => lines.length).toBe(1);
  expect(who()).toBeUndefined();
  const calls = kubelet.calls();
  await expect.poll(kubelet.calls).toBeGreaterThan(calls + 3);
  kubelet.answer([]);
  await expect.poll(() => lines.length).toBe(2);
  expect(who()).toBeDefined();
  kubelet.stop(); // a call under way is reset, and told too

  const gone = { level: 'warn', reason: expect.stringContaining('no such socket') };
  await expect.poll(() => lines.at(-1)).toMatchObject(gone);
  expect(lines.slice(0, 2)).toMatchObject([
    {
      level: 'warn',
      msg: expect.stringContaining('no pod labels'),
      reason: 'gRPC status 13 not now, 100 % sure',
    },
    { level: 'info', msg: expect.stringContaining('tells again') },
  ]);
});

test('a kubelet that does not answer is not waited for', async () => {
  const { log, lines } = told();
  const kubelet = await startFakeKubelet();
  kubelet.answer('never');

  const who = whoHas(kubelet.socket, { pod: 'agent-x', intervalMs: 10, log });

  expect(who()).toBeUndefined();
  await expect.poll(() => lines, { timeout: 5000 }).toMatchObject([{ reason: 'no answer within 2000 ms' }]);
});

test('what the kubelet can give to pods is told: none where all have become unhealthy, unknown where it never had any of NVIDIA’s', async () => {
  const { log } = told();
  const kubelet = await startFakeKubelet([{ pod: 'a', devices: [uuid(0)] }]);
  const { allocations } = watchAllocations(kubelet.socket, { pod: 'agent-x', intervalMs: 10, log });
  const offered = () => {
    const now = allocations();
    return 'reason' in now ? now.reason : now.offered;
  };
  await expect.poll(offered).toBeNull(); // as one before 1.28, which does not know the question
  kubelet.offer({ 'example.com/fpga': ['fpga-0'] });
  await sleep(50);
  expect(offered()).toBeNull();

  kubelet.offer({ 'nvidia.com/gpu': [uuid(0), uuid(2)], 'example.com/fpga': ['fpga-0'] });
  await expect.poll(offered).toEqual([uuid(0), uuid(2)]);
  kubelet.offer({ 'example.com/fpga': ['fpga-0'] });
  await expect.poll(offered).toEqual([]);
});

const slowly = { pod: 'agent-x', intervalMs: 60_000 };

/** The clock by which it is known when the kubelet was asked. */
function stoppedClock() {
  const clock = { ms: 0 };
  const now = vi.spyOn(performance, 'now').mockImplementation(() => clock.ms);
  onTestFinished(() => now.mockRestore());
  return clock;
}

test('whoever wants to know asks the kubelet anew, at most once a second', async () => {
  const clock = stoppedClock();
  const kubelet = await startFakeKubelet([{ pod: 'a', devices: [uuid(0)] }]);
  const { allocations, refresh } = watchAllocations(kubelet.socket, { ...slowly, log: told().log });
  const pod = () => {
    const now = allocations();
    return 'reason' in now ? now.reason : now.allocations[0]?.pod;
  };

  await refresh(); // waits for the first answer
  expect(pod()).toBe('a');
  kubelet.answer([{ pod: 'b', devices: [uuid(0)] }]);
  clock.ms = 999;
  await refresh();
  expect([pod(), kubelet.calls()]).toEqual(['a', 1]);
  clock.ms = 1000;
  await Promise.all([refresh(), refresh()]);

  expect([pod(), kubelet.calls()]).toEqual(['b', 2]);
});

test('a kubelet that did not answer the last time keeps nobody who asks anew', async () => {
  const clock = stoppedClock();
  const { log, lines } = told();
  const kubelet = await startFakeKubelet();
  kubelet.answer({ details: 'not now' });
  const { refresh } = watchAllocations(kubelet.socket, { ...slowly, log });
  await refresh();
  expect(lines).toMatchObject([{ reason: 'gRPC status 13 not now' }]);
  kubelet.answer('never');
  clock.ms = 1000;

  await refresh(); // would not come back

  expect(kubelet.calls()).toBe(1);
});
