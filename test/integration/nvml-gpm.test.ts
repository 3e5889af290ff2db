import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

import { openedNvml } from '../support/agent-nvml.ts';
import { h100, readCalls } from '../support/nvml/fake-nvml.ts';

/** More than NVML wants between two samples. */
const windowMs = 130;
/** By NVML's numbers: SM activity, its occupancy, any tensor pipe, DRAM bandwidth. */
const gpm = { 2: 84, 3: 31.5, 5: 47, 10: 42 };

test('what the units of a GPU did is told from the second question on, between the two samples', async () => {
  const { driver } = openedNvml({ gpm });

  expect(driver.inquire('gpm', 0)).toEqual({ value: { whole: { missing: 'notReady' }, instances: [] } });
  await sleep(windowMs);
  const report = driver.inquire('gpm', 0);

  expect(report).toMatchObject({
    value: {
      whole: {
        value: {
          metrics: {
            smPercent: { value: 84 },
            smOccupancyPercent: { value: 31.5 },
            tensorPercent: { value: 47 },
            dramBandwidthPercent: { value: 42 },
            fp64Percent: { missing: 'notSupported' },
          },
        },
      },
    },
  });
  const whole = 'value' in report ? report.value.whole : report;
  expect('value' in whole && whole.value.windowMs).toBeGreaterThanOrEqual(windowMs - 10);
});

test('who asks again too soon for another sample is told the same again', async () => {
  const { driver, write } = openedNvml({ gpm });
  driver.inquire('gpm', 0);
  await sleep(windowMs);
  const first = driver.inquire('gpm', 0);
  write({ gpus: [h100(0, { gpm: { 2: 11 } })] });

  expect(driver.inquire('gpm', 0)).toEqual(first);
  await sleep(windowMs);
  expect(driver.inquire('gpm', 0)).toMatchObject({
    value: { whole: { value: { metrics: { smPercent: { value: 11 } } } } },
  });
});

test('a share that is no number is missing: nothing was counted', async () => {
  const { driver } = openedNvml({ gpm: { 2: 3, 5: Number.NaN } });
  driver.inquire('gpm', 0);
  await sleep(windowMs);

  expect(driver.inquire('gpm', 0)).toMatchObject({
    value: {
      whole: { value: { metrics: { smPercent: { value: 3 }, tensorPercent: { missing: 'noData' } } } },
    },
  });
});

test('each MIG GPU instance is told for itself', async () => {
  const mig = (index: number, gpuInstanceId: number) => ({ index, uuid: `MIG-${index}`, gpuInstanceId });
  const { driver } = openedNvml({
    migMode: { current: 1, pending: 1 },
    maxMigDevices: 7,
    migDevices: [mig(0, 1), mig(1, 1), mig(4, 2)],
    gpm: { 2: 50, '2.1': 90, '2.2': 10 },
  });
  driver.inquire('gpm', 0);
  await sleep(windowMs);

  expect(driver.inquire('gpm', 0)).toMatchObject({
    value: {
      whole: { value: { metrics: { smPercent: { value: 50 } } } },
      instances: [
        { gpuInstanceId: 1, activity: { value: { metrics: { smPercent: { value: 90 } } } } },
        { gpuInstanceId: 2, activity: { value: { metrics: { smPercent: { value: 10 } } } } },
      ],
    },
  });
});

test('a board before Hopper, and a driver before GPM, say that they have none', () => {
  expect(openedNvml({}).driver.inquire('gpm', 0)).toEqual({ missing: 'notSupported' });
  expect(openedNvml({ gpm }, { without: ['nvmlGpmQueryDeviceSupport'] }).driver.inquire('gpm', 0)).toEqual({
    missing: 'notSupportedByDriver',
  });
});

test('every sample that NVML allocated is given back, also that which could not be taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-gpm-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const countCalls = join(folder, 'calls');
  const { driver, write } = openedNvml({ gpm }, { countCalls });
  driver.inquire('gpm', 0);
  await sleep(windowMs);
  driver.inquire('gpm', 0);
  await sleep(windowMs);
  write({ countCalls, gpus: [h100(0, { gpm })], returns: [{ symbol: 'nvmlGpmSampleGet', code: 999 }] });
  expect(driver.inquire('gpm', 0)).toMatchObject({ value: { whole: { missing: 'nvmlReturn999' } } });
  driver.close();

  const calls = readCalls(countCalls).map(({ symbol }) => symbol);
  const count = (name: string) => calls.filter((symbol) => symbol === name).length;
  expect(count('nvmlGpmSampleAlloc')).toBe(3);
  expect(count('nvmlGpmSampleFree')).toBe(3);
  expect(calls.lastIndexOf('nvmlGpmSampleFree')).toBeLessThan(calls.lastIndexOf('nvmlShutdown'));
});

// A GPU that could not be asked left a hole in what was remembered: closing threw, and the driver was never opened again.
test('a driver whose first GPU could not be asked is closed and opened again', () => {
  const { driver, write } = openedNvml();
  write({ gpus: [h100(0), h100(1, { gpm })], returns: [{ gpu: 0, code: 15 }] });
  driver.open();
  expect(driver.inquire('gpm', 0)).toEqual({ missing: 'gpuLost' });
  expect(driver.inquire('gpm', 1)).toMatchObject({ value: { whole: { missing: 'notReady' } } });

  expect(driver.open().gpuCount).toBe(2);
  expect(driver.inquire('gpm', 1)).toMatchObject({ value: { whole: { missing: 'notReady' } } });
});
