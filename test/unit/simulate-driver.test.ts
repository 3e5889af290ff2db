import { expect, test } from 'vitest';

import { readingNames } from '../../src/core/gpu.ts';
import { reasons } from '../../src/core/reading.ts';
import { demoScenario } from '../../src/simulate/built-in.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { readAt, simulated } from '../support/scenario/simulated.ts';

test('a driver says its versions and how many GPUs it has', async () => {
  expect(await simulated([], 'b').driver.open()).toEqual({
    driverVersion: { value: '550.163.01' },
    cudaVersion: { value: '12.4' },
    nvmlVersion: { value: '13.550.163.01' },
    confidentialComputing: { value: { environment: 'unavailable', enabled: false, devTools: false } },
    gpuCount: 1,
  });
});

test('without a name it is the first node', async () => {
  expect((await simulated([]).driver.open()).gpuCount).toBe(2);
});

test('a node that the scenario has not is refused, with the names of those that it has', () => {
  const fault = { code: 'SCENARIO_INVALID', message: 'the scenario has no node c: it has a, b' };

  expect(() => simulated([], 'c')).toThrow(expect.objectContaining(fault));
});

test('nothing can be read before it is opened, and after it is closed', async () => {
  const { driver } = simulated([]);

  expect((await driver.read(0)).uuid).toEqual({ missing: 'driverUnavailable' });
  await driver.open();
  expect((await driver.read(0)).uuid).toHaveProperty('value');
  await driver.close();
  expect((await driver.read(0)).uuid).toEqual({ missing: 'driverUnavailable' });
});

test('an index that there is not reads as an invalid argument', async () => {
  const { driver } = simulated([]);
  await driver.open();

  expect((await driver.read(2)).temperatureC).toEqual({ missing: 'nvmlReturn2' });
});

test('each reading is one call that returns', async () => {
  const { driver } = simulated([]);
  await driver.open();
  const before = driver.callsReturned();

  await driver.read(0);
  const first = driver.callsReturned() - before;
  await driver.read(0);

  expect(first).toBe(readingNames.length); // the handle, and each reading but MIG devices: MIG is off
  expect(driver.callsReturned() - before - first).toBeLessThan(first); // a name is asked for once
});

test('what is set holds until it is set anew, and null gives the usual value back', async () => {
  const gpu = simulated([
    '{ at: 10, node: a, gpu: 0, set: { temperatureC: 90 } }',
    '{ at: 20, set: { temperatureC: 95 } }',
    '{ at: 30, gpu: 0, node: a, set: { temperatureC: null } }',
  ]);
  const untouched = simulated([]);
  await gpu.driver.open();
  await untouched.driver.open();

  const seen = [];
  for (const seconds of [5, 10, 25, 35]) seen.push((await readAt(gpu, seconds)).temperatureC);

  const usual = async (seconds: number) => (await readAt(untouched, seconds)).temperatureC;
  expect(seen).toEqual([await usual(5), { value: 90 }, { value: 95 }, await usual(35)]);
  expect((await readAt(gpu, 35, 1)).temperatureC).toEqual({ value: 95 });
});

test('of two entries for the same time the lower one in the file counts', async () => {
  const gpu = simulated(['{ at: 1, set: { temperatureC: 50 } }', '{ at: 1, set: { temperatureC: 60 } }']);
  await gpu.driver.open();

  expect((await readAt(gpu, 1)).temperatureC).toEqual({ value: 60 });
});

test('a reading can be set to be missing, with the reason', async () => {
  const gpu = simulated(['{ at: 0, set: { temperatureC: noPermission, powerWatts: nvmlReturn999 } }']);
  await gpu.driver.open();

  const { temperatureC, powerWatts, ...others } = reasons(await readAt(gpu, 0));
  expect({ temperatureC, powerWatts }).toEqual({ temperatureC: 'noPermission', powerWatts: 'nvmlReturn999' });
  expect(new Set(Object.values(others))).toEqual(new Set(['notSupported']));
});

test('a feature that was missing once is asked for again with the slow readings only', async () => {
  const gpu = simulated(['{ at: 1, set: { migMode: notSupported } }', '{ at: 2, set: { migMode: null } }']);
  await gpu.driver.open();

  await readAt(gpu, 1);
  expect((await readAt(gpu, 2, 0, false)).migMode).toEqual({ missing: 'notSupported' });
  expect((await readAt(gpu, 2)).migMode).toEqual({ value: { current: false, pending: false } });
});

test('a call that returns a code is understood as the code of NVML is, until it is cleared', async () => {
  const gpu = simulated([
    '{ at: 1, gpu: 0, node: a, returns: { nvmlDeviceGetClockInfo: 4 } }',
    '{ at: 2, gpu: 0, node: a, returns: { nvmlDeviceGetClockInfo: 0 } }',
  ]);
  await gpu.driver.open();

  const readings = await readAt(gpu, 1);
  expect(readings).toMatchObject({
    graphicsClockMhz: { missing: 'noPermission' },
    smClockMhz: { missing: 'noPermission' },
    memoryClockMhz: { missing: 'noPermission' },
    temperatureC: { value: expect.any(Number) },
  });
  expect((await readAt(gpu, 1, 1)).smClockMhz).toHaveProperty('value');
  expect((await readAt(gpu, 2)).smClockMhz).toHaveProperty('value');
});

test('a lost GPU keeps what names it, says no more, and its neighbour is well', async () => {
  const gpu = simulated([
    '{ at: 1, node: a, gpu: 0, returns: { all: 15 } }',
    '{ at: 9, node: a, gpu: 0, returns: { all: 0 } }',
  ]);
  await gpu.driver.open();
  const before = await readAt(gpu, 0);
  const calls = gpu.driver.callsReturned();

  const lost = await readAt(gpu, 1);

  expect(gpu.driver.callsReturned() - calls).toBe(1); // not asked for each reading: each call could block
  expect(lost.uuid).toEqual(before.uuid);
  expect(lost.temperatureC).toEqual({ missing: 'gpuLost' });
  expect(lost.eccMode).toEqual({ missing: 'gpuLost' });
  expect((await readAt(gpu, 1, 1)).temperatureC).toHaveProperty('value');
  expect((await readAt(gpu, 9)).temperatureC).toHaveProperty('value');
});

test('a GPU that is lost from the start has not even a name', async () => {
  const gpu = simulated(['{ at: 0, node: a, gpu: 0, returns: { all: 15 } }']);
  await gpu.driver.open();

  expect(new Set(Object.values(reasons(await readAt(gpu, 0))))).toEqual(new Set(['gpuLost']));
});

test('all overrides what was said of single calls before, and a single call what was said of all', async () => {
  const gpu = simulated([
    '{ at: 0, returns: { nvmlDeviceGetName: 4 } }',
    '{ at: 1, returns: { all: 999 } }',
    '{ at: 2, returns: { nvmlDeviceGetHandleByIndex_v2: 0, nvmlDeviceGetTemperature: 0 } }',
  ]);
  await gpu.driver.open();

  expect((await readAt(gpu, 1)).name).toEqual({ missing: 'nvmlReturn999' });
  const { name, temperatureC } = await readAt(gpu, 2);
  expect(name).toEqual({ missing: 'nvmlReturn999' });
  expect(temperatureC).toHaveProperty('value');
});

test('a version that cannot be read is missing, and the driver opens', async () => {
  const { driver } = simulated(['{ at: 0, returns: { nvmlSystemGetCudaDriverVersion: 13 } }']);

  expect((await driver.open()).cudaVersion).toEqual({ missing: 'notSupportedByDriver' });
});

test('the demo has one GPU that needs a reset', async () => {
  const driver = simulatedDriver({ scenario: demoScenario, node: 'gpu-node-2', nowMs: () => 0 });
  const { gpuCount } = await driver.open();
  const pending = [];
  for (let gpu = 0; gpu < gpuCount; gpu += 1) pending.push((await driver.read(gpu)).remappedRows);

  expect(pending.map((rows) => 'value' in rows && rows.value.pending)).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
    false,
    false,
  ]);
});
