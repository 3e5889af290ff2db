import { expect, test } from 'vitest';

import type { Memory } from '../../src/core/load-readings.ts';
import type { MigDevice } from '../../src/core/mode-readings.ts';
import type { Reading } from '../../src/core/reading.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import { random } from '../support/answers.ts';
import type { FakeGpu } from '../support/nvml/fake-config.ts';

const gibibyte = 2 ** 30;

function device(index: number, gpuInstanceId: number) {
  return {
    index,
    uuid: `MIG-00000000-0000-4000-8000-00000000000${index}`,
    name: 'NVIDIA H100 80GB HBM3 MIG 1g.10gb',
    gpuInstanceId,
    computeInstanceId: 0,
    memoryBytes: { total: 10 * gibibyte, reserved: 0, used: index * gibibyte },
    slices: { multiprocessors: 16, gpuInstance: 1, computeInstance: 1, mebibytes: 9984 },
  };
}

const migSymbols = [
  'nvmlDeviceGetMigMode',
  'nvmlDeviceGetMaxMigDeviceCount',
  'nvmlDeviceGetMigDeviceHandleByIndex',
  'nvmlDeviceGetUUID',
  'nvmlDeviceGetName',
  'nvmlDeviceGetGpuInstanceId',
  'nvmlDeviceGetComputeInstanceId',
  'nvmlDeviceGetMemoryInfo_v2',
  'nvmlDeviceGetAttributes_v2',
];

const migOn: Partial<FakeGpu> = {
  migMode: { current: 1, pending: 1 },
  maxMigDevices: 7,
  migDevices: [device(1, 9), device(4, 13)],
};

test('with MIG on each device of a GPU is read, wherever it stands', () => {
  const { migDevices } = openedNvml(migOn).driver.read(0);

  expect(migDevices).toEqual({
    value: [
      [1, 9],
      [4, 13],
    ].map(([index = 0, gpuInstanceId]) => ({
      index,
      uuid: { value: `MIG-00000000-0000-4000-8000-00000000000${index}` },
      name: { value: 'NVIDIA H100 80GB HBM3 MIG 1g.10gb' },
      gpuInstanceId: { value: gpuInstanceId },
      computeInstanceId: { value: 0 },
      memory: {
        value: {
          totalBytes: 10 * gibibyte,
          reservedBytes: 0,
          usedBytes: index * gibibyte,
          freeBytes: (10 - index) * gibibyte,
        },
      },
      slices: { value: { multiprocessors: 16, gpuInstanceSlices: 1, computeInstanceSlices: 1 } },
    })),
  });
});

test('MIG that is switched on while we run shows its devices with the next sample, and off none', () => {
  const { driver, write } = openedNvml({ ...migOn, migMode: { current: 0, pending: 1 } });
  expect(driver.read(0).migDevices).toEqual({ value: [] });

  write({ gpus: [{ name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-1', pci: null, ...migOn }] });
  expect(driver.read(0).migDevices).toMatchObject({ value: [{ index: 1 }, { index: 4 }] });

  write({
    gpus: [{ name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-1', pci: null, migMode: { current: 0, pending: 0 } }],
  });
  expect(driver.read(0).migDevices).toEqual({ value: [] });
});

test('a board without MIG has no MIG devices for that reason', () => {
  expect(openedNvml({ migMode: null }).driver.read(0).migDevices).toEqual({ missing: 'notSupported' });
});

test('what one MIG device does not tell is missing there alone', () => {
  const { memoryBytes: _, ...silent } = device(1, 9);
  const { migDevices } = openedNvml({ ...migOn, migDevices: [silent, device(4, 13)] }).driver.read(0);

  expect(migDevices).toMatchObject({
    value: [{ memory: { missing: 'notSupported' } }, { memory: { value: { totalBytes: 10 * gibibyte } } }],
  });
});

test('a driver that fails to hand out a MIG device is not taken for a GPU without one', () => {
  const { driver, write } = openedNvml(migOn);
  write({
    gpus: [{ name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-1', pci: null, ...migOn }],
    returns: [{ symbol: 'nvmlDeviceGetMigDeviceHandleByIndex', code: 999 }],
  });

  expect(driver.read(0).migDevices).toEqual({ missing: 'nvmlReturn999' });
});

test('what a GPU cannot tell while MIG is on, it tells again within a minute after MIG was switched off', () => {
  const plain = { name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-1', pci: null };
  const { driver, write } = openedNvml({ ...migOn, utilizationPercent: null });
  expect(driver.read(0, true).utilization).toEqual({ missing: 'notSupported' });

  write({
    gpus: [{ ...plain, migMode: { current: 0, pending: 0 }, utilizationPercent: { gpu: 93, memory: 41 } }],
  });

  expect(driver.read(0, false).utilization).toEqual({ missing: 'notSupported' });
  expect(driver.read(0, true).utilization).toEqual({ value: { gpuPercent: 93, memoryPercent: 41 } });
});

/** What each device tells of itself, and not why it does not. */
function valuesOf(devices: Reading<readonly MigDevice[]>): [place: string, value: unknown][] {
  return ('value' in devices ? devices.value : []).flatMap((device, at) =>
    Object.entries(device).flatMap(([name, reading]): [string, unknown][] =>
      typeof reading === 'object' && 'value' in reading ? [[`${at} ${name}`, reading.value]] : [],
    ),
  );
}

/** Memory as a driver tells it that does not know the newest call. */
function byOlderCall(place: string, right: ReadonlyMap<string, unknown>): object[] {
  return place.endsWith(' memory') ? [{ ...(right.get(place) as Memory), reservedBytes: null }] : [];
}

test('any combination of return codes leaves of each MIG device what is right, or why it is not known', () => {
  const plain = { name: 'NVIDIA H100 80GB HBM3', uuid: 'GPU-1', pci: null, ...migOn };
  const { driver, write } = openedNvml(migOn);
  const right = new Map(valuesOf(driver.read(0).migDevices));
  const next = random(5);
  const codes = [0, 2, 3, 4, 6, 7, 10, 12, 13, 17, 20, 25, 999];
  const code = () => codes[Math.floor(next() * codes.length)] as number;
  let told = 0;
  for (let round = 0; round < 200; round++) {
    const failing = migSymbols.filter(() => next() < 0.3);
    write({ gpus: [plain], returns: failing.map((symbol) => ({ symbol, code: code() })) });
    driver.open();

    const values = valuesOf(driver.read(0).migDevices);

    for (const [place, value] of values)
      expect([right.get(place), ...byOlderCall(place, right)], place).toContainEqual(value);
    told += values.length;
  }
  expect(told).toBeGreaterThan(500);
});
