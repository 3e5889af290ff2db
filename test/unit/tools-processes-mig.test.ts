import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { MigDevice } from '../../src/core/mode-readings.ts';
import type { DeviceHolder, GpuProcess } from '../../src/core/process.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { processes } from '../../src/tools/processes.ts';
import { contextOf, noEvents } from '../support/answers.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

const gibibyte = 2 ** 30;
const migUuid = (index: number) => `MIG-0000000${index}-0000-4000-8000-000000000000`;

function migDevice(index: number, gpuInstanceId: number, used = 4): MigDevice {
  const memory = {
    totalBytes: 10 * gibibyte,
    reservedBytes: 0,
    usedBytes: used * gibibyte,
    freeBytes: (10 - used) * gibibyte,
  };
  return {
    index,
    uuid: { value: migUuid(index) },
    name: { value: 'NVIDIA H100 80GB HBM3 MIG 1g.10gb' },
    gpuInstanceId: { value: gpuInstanceId },
    computeInstanceId: { value: 0 },
    memory: { value: memory },
    slices: { missing: 'notSupported' },
  };
}

function job(pid: number, gpuInstanceId: number): GpuProcess {
  const noData = { missing: 'noData' } as const;
  return {
    pid,
    kinds: ['compute'],
    usedBytes: { value: 4 * gibibyte },
    gpuInstanceId,
    computeInstanceId: 0,
    utilization: noData,
    onNode: {
      comm: { value: 'python3' },
      state: noData,
      startedAtMs: noData,
      startTick: null,
      container: noData,
    },
    holders: [],
    left: false,
    waitingMs: null,
  };
}

const holderOf = (pod: string, gpuInstanceId: number): DeviceHolder => ({
  namespace: 'ml',
  pod,
  container: 'main',
  part: { device: null, gpuInstanceId, computeInstanceId: 0 },
});

const list = {
  index: 0,
  readAtMs: nowMs,
  processes: { value: [job(7, 3), job(8, 4)] },
  stuck: [],
  holders: [holderOf('a', 3), holderOf('b', 4), holderOf('c', 5)],
  offered: null,
};
const parted = gpu(0, { migDevices: [migDevice(0, 3), migDevice(1, 4), migDevice(2, 5, 0)] });

function ask(given: object, holders = list.holders) {
  const podResources = { readable: true, reason: null };
  const context = contextOf(snapshot([parted]), noEvents, { gpus: [{ ...list, holders }], podResources });
  const value = processes.output.parse(
    JSON.parse(JSON.stringify(processes.answer(parseArguments(processes.input, given), context))),
  );
  const args = parseArguments(fleetInput(processes), given);
  return { gpus: value.gpus, lines: present(processes, args, [{ node: 'a', value }]).text.split('\n') };
}

test('under MIG each process has the UUID of the device that it runs on', () => {
  const [one] = ask({}).gpus;

  expect(one?.processes?.map(({ pid, migUuid: uuid }) => [pid, uuid])).toEqual([
    [7, migUuid(0)],
    [8, migUuid(1)],
  ]);
});

test('a MIG device that is asked for by its UUID is told alone, with its own name, memory and holder', () => {
  const { gpus, lines } = ask({ gpu: migUuid(1).toUpperCase() });

  expect(gpus).toMatchObject([
    { uuid: migUuid(1), memoryUsedBytes: 4 * gibibyte, processes: [{ pid: 8 }], holders: [{ pod: 'b' }] },
  ]);
  expect(lines[0]).toContain('1 process on 1 GPU of 1 node');
  expect(lines[1]).toMatch(/^a GPU 0 \(NVIDIA H100 80GB HBM3 MIG 1g.10gb, 4 GiB used\): python3 \(pid 8,/);
  expect(lines.join('\n')).not.toContain('pid 7');
});

test('a MIG device that a container holds and does not use is said to be unused, although others are not', () => {
  expect(ask({ gpu: migUuid(2) }).lines).toContainEqual(
    expect.stringMatching(/^held and unused: a GPU 0: ml\/c container main \(GPU instance 5 /),
  );
});

test('who has the whole GPU, and uses another part of it, does not hold the one that is asked for unused', () => {
  const whole = { namespace: 'ml', pod: 'w', container: 'main' };
  const { lines } = ask({ gpu: migUuid(2) }, [whole]);

  expect(lines.slice(1)).toEqual([
    'a GPU 0 (NVIDIA H100 80GB HBM3 MIG 1g.10gb, 0 GiB used): no process; given to ml/w container main',
  ]);
});
