import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { openedNvml } from '../support/agent-nvml.ts';
import { told } from '../support/nvml/every-reading.ts';
import { readCalls } from '../support/nvml/fake-nvml.ts';

test.for([
  ['double', 2],
  ['u32', 2],
  ['ulong', 2],
  ['u64', 2],
  ['i64', 2],
  ['i32', 2],
  ['u16', 2],
] as const)('a field is read by its type: %s', ([type, value]) => {
  const { driver } = openedNvml({ fields: [{ id: 230, type, value }] }); // the fake leaves garbage beside the value

  expect(driver.read(0).recoveryAction).toEqual({ value: 'nodeReboot' });
});

test('a field that failed is missing, although the call succeeded', () => {
  const { driver } = openedNvml({ fields: [{ id: 230, code: 4 }] });

  expect(driver.read(0).recoveryAction).toEqual({ missing: 'noPermission' });
});

test('of several fields one fails alone, and all are asked for in one call besides those of NVLinks', () => {
  const given = [
    { id: 83, type: 'u64', value: 1_500 },
    { id: 94, type: 'u32', value: 3 },
    { id: 230, type: 'u32', value: 1 },
  ] as const;
  const calls = join(mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-calls-')), 'calls');
  onTestFinished(() => rmSync(dirname(calls), { recursive: true }));
  const { driver } = openedNvml({ fields: [{ id: 82, code: 4 }, ...given] }, { countCalls: calls });

  const { memoryTemperatureC, energyJoules, pcieReplays, recoveryAction } = driver.read(0);
  const readings = [memoryTemperatureC, energyJoules, pcieReplays, recoveryAction];

  expect(readings).toEqual([
    { missing: 'noPermission' },
    { value: 1.5 },
    { value: 3 },
    { value: 'gpuReset' },
  ]);
  const asked = readCalls(calls).filter(({ symbol }) => symbol === 'nvmlDeviceGetFieldValues');
  const ofLinks = ['how many there are', 'what each one tells', 'how many there are, to add up their bytes'];
  expect(asked).toHaveLength(1 + ofLinks.length);
});

test('a memory temperature that the driver wrongly calls a double is read all the same', () => {
  const { driver } = openedNvml({ fields: [{ id: 82, type: 'double', value: 36 * Number.MIN_VALUE }] });

  expect(driver.read(0).memoryTemperatureC).toEqual({ value: 36 });
});

test('a recovery action newer than this program is told by its number', () => {
  const { driver } = openedNvml({ fields: [{ id: 230, type: 'u32', value: 9 }] });

  expect(driver.read(0).recoveryAction).toEqual({ value: 'unknown9' });
});

test('a field that is newer than the driver is not supported by it, and a place that it does not know counts nothing', () => {
  const fields = [
    { id: 230, code: 2 },
    { id: 194, code: 3 },
  ];
  const { driver, write } = openedNvml({ ...told, fields });

  const { recoveryAction, slowdownMarginC } = driver.read(0);
  expect({ recoveryAction, slowdownMarginC }).toEqual({
    recoveryAction: { missing: 'notSupportedByDriver' },
    slowdownMarginC: { missing: 'notSupported' },
  });

  write({ gpus: [told], returns: [{ symbol: 'nvmlDeviceGetMemoryErrorCounter', code: 2 }] });
  driver.open();
  expect(driver.read(0).eccLocations).toEqual({ missing: 'notSupported' });
});

test('what the driver does not know of the performance state is no state', () => {
  expect(openedNvml({ performanceState: 32 }).driver.read(0).performanceState).toEqual({ missing: 'noData' });
});

test('a reason that holds the clocks and is newer than this program is told by its bit', () => {
  const { driver } = openedNvml({ clocksEventReasons: 0x204 });

  expect(driver.read(0).clocksEventReasons).toEqual({ value: ['swPowerCap', 'unknown0x200'] });
});

test.for([
  [0x1aa, []],
  [0x11aa, []],
  [0x1a9, ['degradedBandwidth']],
  [0x5aa, ['insufficientNvlinks']],
  [0x21aa, ['partitionNotAssigned']],
  [0x2, null],
  [0xaa, null],
  [0, null],
] as const)(
  'a fabric of health mask %i has these faults, and null is not called healthy: %j',
  ([healthMask, faults]) => {
    const fabric = { clusterUuid: '0'.repeat(32), state: 3, status: 0, cliqueId: 0, healthMask };

    expect(openedNvml({ fabric }).driver.read(0).fabric).toMatchObject({ value: { faults } });
  },
);

test('a driver before R545 tells of the fabric without its health', () => {
  const { driver } = openedNvml(told, { without: ['nvmlDeviceGetGpuFabricInfoV'] });

  expect(driver.read(0).fabric).toMatchObject({ value: { state: 'completed', cliqueId: 7, faults: null } });
});
