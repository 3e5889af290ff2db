import { expect, test } from 'vitest';

import { type GpuReadings, readingNames, symbolOf } from '../../src/core/gpu.ts';
import type { Missing } from '../../src/core/reading.ts';
import { readText } from '../../src/server/nvml/read.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import type { FakeGpu } from '../support/nvml/fake-config.ts';

const told: FakeGpu = {
  name: 'NVIDIA H100 80GB HBM3',
  uuid: 'GPU-01234567-89ab-cdef-0123-456789abcdef',
  serial: '1653922071234',
  pci: { domain: 0x10, bus: 0xab, device: 0x1f, deviceId: 0x233010de, subsystemId: 0x16c110de },
  minorNumber: 5,
  memoryBytes: { total: 85_520_809_984, reserved: 577_765_376, used: 2 ** 33 + 1 },
  utilizationPercent: { gpu: 97, memory: 41 },
  encoder: { percent: 19, microseconds: 167_000 },
  decoder: { percent: 23, microseconds: 200_000 },
  temperatureC: 61,
  temperatureThresholdsC: { shutdown: 92, slowdown: 87, memoryMax: 95, gpuMax: 83 },
  powerMilliwatts: 523_456,
  enforcedPowerLimitMilliwatts: 650_500,
  powerLimitMilliwatts: 640_000,
  defaultPowerLimitMilliwatts: 700_000,
  powerLimitRangeMilliwatts: { min: 200_000, max: 710_000 },
  clocksMHz: { graphics: 1755, sm: 1740, memory: 2619, video: 1545 },
  clocksEventReasons: 0x1e9,
  performanceState: 2,
  eccMode: { current: 1, pending: 0 },
  eccErrors: {
    correctedVolatile: 11,
    correctedAggregate: 2 ** 40 + 3,
    uncorrectedVolatile: 13,
    uncorrectedAggregate: 17,
  },
  remappedRows: { corrected: 3, uncorrected: 5, pending: 1, failure: 0 },
  retiredPagesPending: 1,
  migMode: { current: 0, pending: 1 },
  persistenceMode: 1,
  fields: [
    { id: 82, type: 'u32', value: 77 },
    { id: 83, type: 'u64', value: 2 ** 41 + 5 },
    { id: 94, type: 'u32', value: 3 },
    { id: 230, type: 'u32', value: 4 },
  ],
};

const expected: { readonly [Name in keyof GpuReadings]: unknown } = {
  name: 'NVIDIA H100 80GB HBM3',
  uuid: 'GPU-01234567-89ab-cdef-0123-456789abcdef',
  serial: '1653922071234',
  pciAddress: '0010:ab:1f.0',
  minorNumber: 5,
  memory: {
    totalBytes: 85_520_809_984,
    reservedBytes: 577_765_376,
    usedBytes: 8_589_934_593,
    freeBytes: 76_353_110_015,
  },
  utilization: { gpuPercent: 97, memoryPercent: 41 },
  encoderPercent: 19,
  decoderPercent: 23,
  temperatureC: 61,
  memoryTemperatureC: 77,
  slowdownTemperatureC: 87,
  shutdownTemperatureC: 92,
  powerWatts: 523.456,
  powerLimitWatts: 650.5,
  defaultPowerLimitWatts: 700,
  powerLimitRange: { minWatts: 200, maxWatts: 710 },
  energyJoules: 2_199_023_255.557,
  graphicsClockMhz: 1755,
  smClockMhz: 1740,
  memoryClockMhz: 2619,
  clocksEventReasons: [
    'gpuIdle',
    'hwSlowdown',
    'swThermalSlowdown',
    'hwThermalSlowdown',
    'hwPowerBrakeSlowdown',
    'displayClockSetting',
  ],
  performanceState: 2,
  eccMode: { current: true, pending: false },
  eccCorrectedVolatile: 11,
  eccUncorrectedVolatile: 13,
  eccCorrectedAggregate: 1_099_511_627_779,
  eccUncorrectedAggregate: 17,
  remappedRows: { correctable: 3, uncorrectable: 5, pending: true, failed: false },
  retiredPagesPending: true,
  recoveryAction: 'drainAndReset',
  pcieReplays: 3,
  migMode: { current: false, pending: true },
  persistenceMode: true,
};

test('every reading is what the driver says, in our units', () => {
  const { driver } = openedNvml(told);

  const readings = driver.read(0);

  expect(readings).toEqual(
    Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, { value }])),
  );
  expect(Object.keys(readings)).toEqual([...readingNames]);
});

test('the versions are those of the driver', () => {
  expect(openedNvml().info).toEqual({
    driverVersion: { value: '580.126.20' },
    cudaVersion: { value: '12.8' },
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

  expect(callsReturned() - before).toBe(6); // the handle, memory, utilisation, encoder, decoder, temperature
  expect(readings).toMatchObject({ uuid: { value: told.uuid }, memory: { value: expect.anything() } });
  expect(readings.persistenceMode).toEqual({ missing: 'gpuLost' });
});

test.for([0, 1])('a driver that lacks every other call, from the %i., has all other readings', (first) => {
  const symbols = [...new Set(Object.values(symbolOf))];
  const without = symbols.filter((_, at) => at % 2 === first);
  const { driver } = openedNvml(told, { without });
  const older = ['nvmlDeviceGetCurrentClocksEventReasons']; // has an older name, which is there

  const readings = driver.read(0);

  const lacking = (name: keyof GpuReadings) =>
    without.includes(symbolOf[name]) && !older.includes(symbolOf[name]);
  expect(readings).toEqual(
    Object.fromEntries(
      readingNames.map((name) => [
        name,
        lacking(name) ? { missing: 'notSupportedByDriver' } : { value: expected[name] },
      ]),
    ),
  );
});

test('without both names of the clocks event reasons they are missing', () => {
  const without = ['nvmlDeviceGetCurrentClocksEventReasons', 'nvmlDeviceGetCurrentClocksThrottleReasons'];

  expect(openedNvml(told, { without }).driver.read(0).clocksEventReasons).toEqual({
    missing: 'notSupportedByDriver',
  });
});

test('a text that fills its buffer is read whole', () => {
  const [name, serial] = ['N'.repeat(95), '9'.repeat(29)];
  const { driver } = openedNvml({ name, serial });

  expect(driver.read(0)).toMatchObject({ name: { value: name }, serial: { value: serial } });
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
