import { expect, test } from 'vitest';

import type { DriverProcess } from '../../src/core/process.ts';
import { orNull } from '../../src/core/reading.ts';
import type { Allocation } from '../../src/server/pod-holders.ts';
import { gpuHolders } from '../../src/server/proc/gpu-holders.ts';
import { gpu } from '../support/gpus.ts';

const migUuid = (index: number) => `MIG-00000000-0000-0000-0000-00000000000${index}`;

const parted = (...gpuInstances: number[]) =>
  partedInto(...gpuInstances.map((id): [number, string] => [id, '1g.10gb']));

function partedInto(...parts: [gpuInstance: number, profile: string][]) {
  const migDevices = parts.map(([gpuInstanceId, profile], index) => ({
    index,
    uuid: { value: migUuid(index) },
    name: { value: `x MIG ${profile}` },
    gpuInstanceId: { value: gpuInstanceId },
    computeInstanceId: { value: 0 },
    memory: { missing: 'notSupported' as const },
    slices: { missing: 'notSupported' as const },
  }));
  return gpu(0, { migDevices });
}

const given = (pod: string, devices: string[]): Allocation => ({
  namespace: 'ml',
  pod,
  container: 'main',
  devices,
});
/** Of the part that is GPU instance 4. */
const process: DriverProcess = {
  pid: 7,
  kinds: ['compute'],
  usedBytes: { value: 1 },
  gpuInstanceId: 4,
  computeInstanceId: 0,
  utilization: { missing: 'noData' },
};

function told(one: ReturnType<typeof parted>, allocations: Allocation[], offered: string[] | null = null) {
  const kubelet = gpuHolders({ allocations, offered });
  return {
    ofGpu: kubelet.ofGpu(one),
    ofProcess: kubelet.ofProcess(one, process),
    offers: kubelet.offers(one),
  };
}

test.for([
  ['NVIDIA’s plugin', migUuid(0), `nvidia.com/gpu=${migUuid(1)}`],
  ['the plugin of GKE', 'nvidia0/gi3', 'nvidia0/gi4'],
  ['the plugin of GKE with time slicing', 'nvidia0/gi3/vgpu0', 'nvidia0/gi4/vgpu1'],
] as const)('under MIG the holders are those of the part that the process uses: %s', ([, a, b]) => {
  const { ofGpu, ofProcess, offers } = told(parted(3, 4), [given('a', [a]), given('b', [b])], [b]);

  expect(ofProcess).toMatchObject([{ pod: 'b' }]);
  expect(ofGpu).toMatchObject([
    { pod: 'a', part: { device: migUuid(0), gpuInstanceId: 3, computeInstanceId: 0 } },
    { pod: 'b', part: { device: migUuid(1), gpuInstanceId: 4, computeInstanceId: 0 } },
  ]);
  expect(offers).toBe(true);
  expect(told(parted(3), [], [b]).offers).toBe(false);
});

test('under MIG who was given the whole GPU has its parts, too', () => {
  const one = parted(3, 4);
  const whole = given('whole', [orNull(one.readings.uuid) ?? '']);

  expect(told(one, [whole]).ofProcess).toMatchObject([{ pod: 'whole' }]);
  expect(told(one, [whole, given('b', [migUuid(1)])]).ofProcess).toMatchObject([
    { pod: 'b' },
    { pod: 'whole' },
  ]);
  const claim = given('c', ['gpu.nvidia.com/gpu-0-mig-1g10gb-19-0']); // of either part
  expect(told(one, [whole, claim]).ofProcess).toMatchObject([{ pod: 'c' }, { pod: 'whole' }]);
});

test('a part is named by its GPU and instances before R470', () => {
  const old = 'MIG-GPU-00000000-0000-4000-8000-000000000000/4/0';
  const [device] = orNull(parted(4).readings.migDevices) ?? [];
  const one = gpu(0, { migDevices: device ? [{ ...device, uuid: { value: old } }] : [] });

  expect(told(one, [given('a', [old])])).toMatchObject({ ofProcess: [{ pod: 'a' }], offers: null });
});

test('a claim of a profile of which a GPU has one part is of that part', () => {
  const one = partedInto([3, '2g.20gb'], [4, '1g.10gb+me'], [5, '1g.10gb']);
  const claims = ['2g20gb-14-0', '1g10gb-me-20-4'].map((part, at) =>
    given('ab'[at] ?? '', [`gpu.nvidia.com/gpu-0-mig-${part}`]),
  );

  const { ofGpu, ofProcess } = told(one, claims);

  expect(ofGpu).toMatchObject([
    { pod: 'a', part: { device: 'gpu-0-mig-2g20gb-14-0', gpuInstanceId: 3, computeInstanceId: 0 } },
    { pod: 'b', part: { device: 'gpu-0-mig-1g10gb-me-20-4', gpuInstanceId: 4, computeInstanceId: 0 } },
  ]);
  expect(ofProcess).toMatchObject([{ pod: 'b' }]);
});

test('a claim of another profile is not that of a process', () => {
  const one = partedInto([3, '2g.20gb'], [6, '2g.20gb'], [4, '1g.10gb']);
  const claim = (pod: string, part: string) => given(pod, [`gpu.nvidia.com/gpu-0-mig-${part}`]);

  expect(told(one, [claim('a', '2g20gb-14-0')]).ofProcess).toEqual([]);
  expect(told(one, [claim('a', '2g20gb-14-0'), claim('b', '1g10gb-19-4')]).ofProcess).toMatchObject([
    { pod: 'b' },
  ]);
});

test('where GPUs are claimed, too, one that no plugin offers may be had by a claim', () => {
  const plugin = 'GPU-11111111-0000-4000-8000-000000000000';
  const claimed = given('a', ['gpu.nvidia.com/gpu-3']);

  expect(told(parted(), [], [plugin]).offers).toBe(false);
  expect(told(parted(), [claimed], [plugin]).offers).toBeNull();
});

test('a claim of a part names the GPU, and no instance: one alone is not taken for that of each process', () => {
  const claim = (pod: string, part: string) => given(pod, [`gpu.nvidia.com/gpu-0-mig-${part}`]);
  const [a, b] = [claim('a', '1g10gb-19-0'), claim('b', '19-1-1')];

  const holders = [
    { pod: 'a', part: { device: 'gpu-0-mig-1g10gb-19-0', gpuInstanceId: null } },
    { pod: 'b', part: { device: 'gpu-0-mig-19-1-1', gpuInstanceId: null } },
  ];
  expect(told(parted(3, 4), [a, b])).toMatchObject({ ofGpu: holders, ofProcess: holders });
  expect(told(parted(3, 4), [a]).ofProcess).toEqual([]);
  expect(told(parted(4), [a]).ofProcess).toMatchObject([{ pod: 'a' }]);
  expect(told(parted(4), [given('c', ['gpu.nvidia.com/gpu-1-mig-19-0-1'])]).ofGpu).toEqual([]);
});
