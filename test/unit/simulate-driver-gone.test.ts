import { expect, test, vi } from 'vitest';

import type { GpuReadings } from '../../src/core/gpu.ts';
import { readAt, simulated } from '../support/scenario/simulated.ts';

test('a hung GPU does not answer until the hang is over; no call returns meanwhile', async () => {
  vi.useFakeTimers();
  try {
    const gpu = simulated([
      '{ at: 1, node: a, gpu: 0, hang: true }',
      '{ at: 60, node: a, gpu: 0, hang: false }',
    ]);
    await gpu.driver.open();
    const calls = gpu.driver.callsReturned();
    let answer: GpuReadings | undefined;

    gpu.clock.seconds = 1;
    const reading = gpu.driver.read(0).then((readings) => {
      answer = readings;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(answer).toBeUndefined();
    expect(gpu.driver.callsReturned()).toBe(calls);

    gpu.clock.seconds = 60;
    await vi.advanceTimersByTimeAsync(1000);
    await reading;
    expect(answer?.temperatureC).toHaveProperty('value');
    expect(gpu.driver.callsReturned()).toBeGreaterThan(calls);
  } finally {
    vi.useRealTimers();
  }
});

test('a hang that never ends leaves no timer behind, nor does an abandoned driver', async () => {
  vi.useFakeTimers();
  try {
    const forEver = simulated(['{ at: 0, hang: true }']);
    const abandoned = simulated(['{ at: 0, hang: true }', '{ at: 60, hang: false }']);
    await forEver.driver.open();
    await abandoned.driver.open();

    void forEver.driver.read(0);
    void abandoned.driver.read(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(vi.getTimerCount()).toBe(1);
    abandoned.driver.abandon();
    await vi.advanceTimersByTimeAsync(1000);

    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test.for([
  [4, 'DRIVER_ACCESS_DENIED'],
  [9, 'DRIVER_NOT_LOADED'],
  [12, 'DRIVER_NOT_FOUND'],
  [18, 'DRIVER_VERSION_MISMATCH'],
  [10, 'DRIVER_FAILED'],
] as const)('a driver whose init returns %i cannot be opened: %s', async ([init, code]) => {
  const { driver } = simulated([`{ at: 0, returns: { nvmlInit_v2: ${init} } }`]);

  await expect(driver.open()).rejects.toMatchObject({
    name: 'Fault',
    code,
    message: expect.stringContaining(`${init}`),
  });
});

test('a driver that went away answers nothing, and answers again once it is back and opened anew', async () => {
  const gpu = simulated([
    '{ at: 10, node: a, returns: { nvmlInit_v2: 9 } }',
    '{ at: 20, node: a, returns: { nvmlInit_v2: 0 } }',
  ]);
  await gpu.driver.open();
  const before = await readAt(gpu, 9);

  const away = await readAt(gpu, 10);
  expect(away.temperatureC).toEqual({ missing: 'driverUnavailable' });
  expect(away.uuid).toEqual(before.uuid);
  await expect(gpu.driver.open()).rejects.toMatchObject({ code: 'DRIVER_NOT_LOADED' });

  gpu.clock.seconds = 20;
  expect((await gpu.driver.open()).gpuCount).toBe(2);
  expect((await readAt(gpu, 20)).temperatureC).toHaveProperty('value');
});

test('what was opened before the driver went away is dead even when it is back', async () => {
  const gpu = simulated([
    '{ at: 10, returns: { nvmlInit_v2: 9 } }',
    '{ at: 20, returns: { nvmlInit_v2: 0 } }',
  ]);
  await gpu.driver.open();

  expect((await readAt(gpu, 21)).temperatureC).toEqual({ missing: 'driverUnavailable' });
});

test('a library that no longer matches fails only who opens it anew', async () => {
  const gpu = simulated(['{ at: 10, returns: { nvmlInit_v2: 18 } }']);
  await gpu.driver.open();

  expect((await readAt(gpu, 11)).temperatureC).toHaveProperty('value');
  await expect(gpu.driver.open()).rejects.toMatchObject({ code: 'DRIVER_VERSION_MISMATCH' });
});
