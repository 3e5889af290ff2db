import { expect, test } from 'vitest';

import { type GpuReadings, readingNames, symbolOf } from '../../src/core/gpu.ts';
import type { Memory } from '../../src/core/load-readings.ts';
import type { Missing } from '../../src/core/reading.ts';
import { readText } from '../../src/server/nvml/read.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import { expected, told } from '../support/nvml/every-reading.ts';

test('every reading is what the driver says, in our units', () => {
  const { driver } = openedNvml(told);

  const readings = driver.read(0);

  expect(readings).toEqual(
    Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, { value }])),
  );
  expect(Object.keys(readings)).toEqual([...readingNames]);
});

test('the versions are those of the driver', () => {
  const system = { nvmlVersion: '13.580.126.20', confCompute: { environment: 2, feature: 1, devTools: 0 } };

  expect(openedNvml({}, system).info).toEqual({
    driverVersion: { value: '580.126.20' },
    cudaVersion: { value: '12.8' },
    nvmlVersion: { value: '13.580.126.20' },
    confidentialComputing: { value: { environment: 'production', enabled: true, devTools: false } },
    gpuCount: 1,
  });
});

test('a domain of more than 16 bits keeps all its digits', () => {
  const { driver } = openedNvml({ pci: { domain: 0x10001, bus: 1, device: 0, deviceId: 0, subsystemId: 0 } });

  expect(driver.read(0).pciAddress).toEqual({ value: '10001:01:00.0' });
});

test('what a board does not have is missing, and only that', () => {
  const { driver } = openedNvml({ ...told, serial: null, utilizationPercent: null, remappedRows: null });

  const { serial, utilization, remappedRows, uuid } = driver.read(0);

  expect([serial, utilization, remappedRows]).toEqual(Array(3).fill({ missing: 'notSupported' }));
  expect(uuid).toEqual({ value: told.uuid });
});

const missing: [number, Missing][] = [
  [1, 'driverUnavailable'],
  [2, 'nvmlReturn2'],
  [3, 'notSupported'],
  [4, 'noPermission'],
  [6, 'nvmlReturn6'],
  [9, 'driverUnavailable'],
  [10, 'nvmlReturn10'],
  [13, 'notSupportedByDriver'],
  [16, 'resetRequired'],
  [18, 'driverUnavailable'],
  [25, 'notSupportedByDriver'],
  [26, 'notSupportedByDriver'],
  [27, 'notReady'],
  [999, 'nvmlReturn999'],
];

test.for(missing)('code %i means %s for that reading, and nothing for the others', ([code, word]) => {
  const { driver, write } = openedNvml(told);

  write({ gpus: [told], returns: [{ symbol: 'nvmlDeviceGetPowerUsage', code }] });
  const { powerWatts, ...others } = driver.read(0);

  expect(powerWatts).toEqual({ missing: word });
  expect(Object.values(others).filter((reading) => 'missing' in reading)).toEqual([]);
});

test.for([15, 28])('once a call says %i nothing more is asked of the GPU', (code) => {
  const { driver, write, callsReturned } = openedNvml(told);
  driver.read(0);

  write({ gpus: [told], returns: [{ symbol: 'nvmlDeviceGetTemperature', code }] });
  const before = callsReturned();
  const readings = driver.read(0);

  const asked = Object.entries(readings).filter(([, reading]) => 'value' in reading).length;
  expect(callsReturned() - before).toBeLessThan(asked); // the handle and what comes before, but for what is remembered
  expect(readings).toMatchObject({ uuid: { value: told.uuid }, memory: { value: expect.anything() } });
  expect(readings.persistenceMode).toEqual({ missing: 'gpuLost' });
});

test.for([0, 1])('a driver that lacks every other call, from the %i., has all other readings', (first) => {
  const symbols = [...new Set(Object.values(symbolOf))];
  const without = symbols.filter((_, at) => at % 2 === first);
  const { driver } = openedNvml(told, { without });
  const older = ['nvmlDeviceGetCurrentClocksEventReasons']; // has an older name, which is there

  const readings = driver.read(0);

  // While MIG is off nobody asks for MIG devices, and whether it is on says another call. Links are made of
  // many calls, and older ones tell of the fabric, without its health, and of memory, without what is reserved.
  const callFor = (name: keyof GpuReadings) => symbolOf[name === 'migDevices' ? 'migMode' : name];
  const lacking = (name: keyof GpuReadings) =>
    without.includes(callFor(name)) && !older.includes(callFor(name));
  const ofOneCall = readingNames.filter((name) => !['nvlinks', 'fabric', 'memory'].includes(name));
  expect(readings).toMatchObject(
    Object.fromEntries(
      ofOneCall.map((name) => [
        name,
        lacking(name) ? { missing: 'notSupportedByDriver' } : { value: expected[name] },
      ]),
    ),
  );
});

test('a driver before R510 tells of memory, whose used part then includes the reserved one', () => {
  const { driver } = openedNvml(told, { without: ['nvmlDeviceGetMemoryInfo_v2'] });

  const { totalBytes, usedBytes, reservedBytes, freeBytes } = expected.memory as Memory;
  expect(driver.read(0).memory).toEqual({
    value: { totalBytes, freeBytes, usedBytes: usedBytes + (reservedBytes ?? 0), reservedBytes: null },
  });
  expect(
    openedNvml(told, { without: ['nvmlDeviceGetMemoryInfo_v2', 'nvmlDeviceGetMemoryInfo'] }).driver.read(0)
      .memory,
  ).toEqual({
    missing: 'notSupportedByDriver',
  });
});

test('the place in a rack is told by a driver that knows the older form only', () => {
  const { driver } = openedNvml(told, { platformInfoVersion: 1 });

  expect(driver.read(0).platform).toEqual({ value: expected.platform });
});

// An H100 in a server: nvidia-smi --query-gpu=platform.slot_number prints 0, and -q that there is none.
test('a board that answers with zeros knows no place in a rack', () => {
  const nowhere = { ibGuid: '0'.repeat(32), chassisSerialNumber: '-', slotNumber: 0, trayIndex: 0 };
  const { driver } = openedNvml({ platform: { ...nowhere, hostId: 1, peerType: 0, moduleId: 7 } });

  expect(driver.read(0).platform).toEqual({ missing: 'noData' });
});

test('what the driver says that it does not know is no value', () => {
  const { driver } = openedNvml({
    brand: 0,
    architecture: 0xffff_ffff,
    cpuAffinity: [0n],
    numaAffinity: [0n],
  });

  const noData = { missing: 'noData' };
  expect(driver.read(0)).toMatchObject({
    ...{ brand: noData, architecture: noData, cpuAffinity: noData, numaAffinity: noData },
  });
});

test('without both names of the clocks event reasons they are missing', () => {
  const without = ['nvmlDeviceGetCurrentClocksEventReasons', 'nvmlDeviceGetCurrentClocksThrottleReasons'];

  expect(openedNvml(told, { without }).driver.read(0).clocksEventReasons).toEqual({
    missing: 'notSupportedByDriver',
  });
});

test('a clocks event reason that is newer than this program is told by its bit, beyond the 32nd, too', () => {
  const { driver } = openedNvml({ clocksEventReasons: 2 ** 33 + 0x200 + 0x40 });

  expect(driver.read(0).clocksEventReasons).toEqual({ value: ['hwThermalSlowdown', 'unknown0x200000200'] });
});

test('a text that fills its buffer is read whole', () => {
  const [name, serial] = ['N'.repeat(95), '9'.repeat(29)];
  const { driver } = openedNvml({ name, serial });

  expect(driver.read(0)).toMatchObject({ name: { value: name }, serial: { value: serial } });
});

test('a text that the driver does not terminate ends with its buffer', () => {
  const { driver } = openedNvml(
    { name: 'N'.repeat(200), serial: '9'.repeat(200), vbiosVersion: 'V'.repeat(200) },
    { unterminatedTexts: 1 },
  );

  expect(driver.read(0)).toMatchObject({
    name: { value: 'N'.repeat(96) },
    serial: { value: '9'.repeat(30) },
    vbiosVersion: { value: 'V'.repeat(32) },
    uuid: { value: expect.stringMatching(/^GPU-.{36}$/) },
  });
});

test('a text that is empty is no text', () => {
  const { serial, vbiosVersion } = openedNvml({ serial: '', vbiosVersion: '' }).driver.read(0);

  expect({ serial, vbiosVersion }).toEqual({
    serial: { missing: 'noData' },
    vbiosVersion: { missing: 'noData' },
  });
});

test('a text without a terminator is read whole, and no further', () => {
  const filled = readText(8, (buffer) => {
    buffer.fill('A'.charCodeAt(0));
    return 0;
  });

  expect(filled).toEqual({ value: 'AAAAAAAA' });
});

test('what cannot change in the life of a driver is asked for once', () => {
  const { driver, write } = openedNvml(told);
  driver.read(0);

  write({ gpus: [{ ...told, name: 'other', temperatureThresholdsC: { slowdown: 1, shutdown: 2 } }] });

  expect(driver.read(0)).toMatchObject({ name: { value: told.name }, slowdownTemperatureC: { value: 87 } });
  driver.open();
  expect(driver.read(0)).toMatchObject({ name: { value: 'other' }, slowdownTemperatureC: { value: 1 } });
});

test('a GPU that was lost when the rare readings were taken is well as soon as it is back', () => {
  const { driver, write } = openedNvml();
  write({ returns: [{ gpu: 0, code: 15 }] });
  expect(Object.values(driver.read(0, true))).toContainEqual({ missing: 'gpuLost' });
  write({ returns: [{ gpu: 0, symbol: 'nvmlDeviceGetRepairStatus', code: 15 }] });
  expect(driver.read(0, true).repairPending).toEqual({ missing: 'gpuLost' });
  write({});

  const back = driver.read(0, false);

  expect(
    Object.entries(back).filter(([, reading]) => 'missing' in reading && reading.missing === 'gpuLost'),
  ).toEqual([]);
  expect(back.repairPending).toEqual({ value: { channel: false, tpc: false } });
});
