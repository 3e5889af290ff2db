import { expect, test } from 'vitest';

import { demoScenario } from '../../src/simulate/built-in.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { fakeNvmlText } from '../support/nvml/fake-config.ts';
import { toFakeNvml } from '../support/scenario/to-fake-nvml.ts';

const nodes = `nodes:
  - { name: a, gpus: [{ model: H100, count: 2 }] }
  - { name: b, gpus: [{ model: T4, count: 1 }], driver: '550.163.01', cuda: '12.4' }
`;

function fake(timeline: readonly string[], { node = 'a', atMs = 0 } = {}) {
  const text = timeline.length > 0 ? `${nodes}timeline:\n  - ${timeline.join('\n  - ')}\n` : nodes;
  return toFakeNvml(parseScenario(text, 'test.yaml'), node, atMs);
}

test('values come in the units of NVML', () => {
  const set = `set: {
      pciAddress: '0008:3b:01.0', powerWatts: 70.125, powerLimitRange: { minWatts: 200, maxWatts: 700 },
      powerLimitWatts: 650.5, temperatureC: 41, utilization: { gpuPercent: 7, memoryPercent: 3 },
      memory: { totalBytes: 1000, reservedBytes: 100, usedBytes: 200, freeBytes: 700 },
      clocksEventReasons: [swPowerCap, hwThermalSlowdown], eccMode: { current: true, pending: false },
      eccUncorrectedVolatile: 3, eccCorrectedAggregate: 9, graphicsClockMhz: 1005, performanceState: 2,
      remappedRows: { correctable: 1, uncorrectable: 2, pending: true, failed: false },
      recoveryAction: drainAndReset, persistenceMode: false, memoryTemperatureC: notSupported,
      energyJoules: 12.345, pcieReplays: noPermission, nvlinkRxBytes: 3072, instantPowerWatts: 71.125, slowdownMarginC: -5,
      swThermalSlowdownSeconds: 1.5, computeMode: prohibited, numaAffinity: [0, 5], cpuAffinity: '0-3,64', pcieGeneration: 3,
      fabric: { state: completed, status: 0, clusterUuid: '00000000000000000000000000000000', cliqueId: 0, faults: [degradedBandwidth] },
      fanPercents: [41], repairPending: { channel: true, tpc: false },
      eccLocations: [{ location: sram, correctedVolatile: 1, uncorrectedVolatile: null, correctedAggregate: null, uncorrectedAggregate: null }], encoderPercent: 31, decoderPercent: notSupported, slowdownTemperatureC: 88 }`;

  expect(fake([`{ at: 0, gpu: 1, node: a, ${set} }`])).toMatchObject({
    driver: 'loaded',
    driverVersion: '580.126.20',
    cudaVersion: 13_000,
    gpus: [
      { name: 'NVIDIA H100 80GB HBM3' },
      {
        pci: { domain: 8, bus: 0x3b, device: 1 },
        powerMilliwatts: 70_125,
        enforcedPowerLimitMilliwatts: 650_500,
        defaultPowerLimitMilliwatts: 700_000,
        powerLimitRangeMilliwatts: { min: 200_000, max: 700_000 },
        temperatureC: 41,
        temperatureThresholdsC: { slowdown: 88, shutdown: 95 },
        utilizationPercent: { gpu: 7, memory: 3 },
        memoryBytes: { total: 1000, reserved: 100, used: 200 },
        clocksEventReasons: 0x44,
        eccMode: { current: 1, pending: 0 },
        eccErrors: {
          correctedVolatile: 0,
          uncorrectedVolatile: 3,
          correctedAggregate: 9,
          uncorrectedAggregate: 0,
        },
        clocksMHz: { graphics: 1005, memory: 2619 },
        performanceState: 2,
        remappedRows: { corrected: 1, uncorrected: 2, pending: 1, failure: 0 },
        retiredPagesPending: null,
        encoder: { percent: 31 },
        decoder: null,
        fields: expect.arrayContaining([
          { id: 82, code: 3 },
          { id: 83, type: 'u64', value: 12_345 },
          { id: 94, code: 4 },
          { id: 139, type: 'u64', value: 3 },
          { id: 186, scope: 0, type: 'u32', value: 71_125 },
          { id: 194, type: 'i32', value: -5 },
          { id: 230, type: 'u32', value: 4 },
          { id: 269, type: 'u64', value: 1_500_000_000 },
        ]),
        computeCapability: { major: 9, minor: 0 },
        architecture: 9,
        computeMode: 2,
        numaAffinity: [0b100001n],
        cpuAffinity: [0xfn, 0x1n],
        fabric: { state: 3, status: 0, healthMask: 0b1_10101001 },
        pcieGeneration: 3,
        fanPercents: [41],
        eccLocations: [{ location: 7, correctedVolatile: 1, uncorrectedVolatile: null }],
        repairPending: { channel: 1, tpc: 0 },
        persistenceMode: 0,
      },
    ],
    returns: [],
    hangs: [],
  });
});

test('the versions are those of the node', () => {
  expect(fake([], { node: 'b' })).toMatchObject({ driverVersion: '550.163.01', cudaVersion: 12_040 });
});

test('what a board lacks is absent', () => {
  const [t4] = fake([], { node: 'b' }).gpus;

  expect(t4).toMatchObject({ remappedRows: null, migMode: null, retiredPagesPending: 0 });
  expect(t4?.fields).toContainEqual({ id: 82, code: 3 });
  expect(t4?.fields).toContainEqual({ id: 230, code: 3 });
});

test('a lost GPU returns its code from every call that names it', () => {
  expect(fake(['{ at: 0, node: a, gpu: 1, returns: { all: 15 } }']).returns).toEqual([{ gpu: 1, code: 15 }]);
});

test('a single call beats all, and comes before it', () => {
  const { returns } = fake([
    '{ at: 0, node: a, gpu: 1, returns: { all: 15, nvmlDeviceGetName: 0, nvmlDeviceGetUUID: 4 } }',
  ]);

  expect(returns).toEqual([
    { symbol: 'nvmlDeviceGetName', gpu: 1, code: 0 },
    { symbol: 'nvmlDeviceGetUUID', gpu: 1, code: 4 },
    { gpu: 1, code: 15 },
  ]);
});

test.for([
  ['notSupportedByDriver', 13],
  ['noPermission', 4],
  ['resetRequired', 16],
  ['gpuLost', 15],
  ['nvmlReturn7', 7],
] as const)('a reading that is missing as %s is a call that returns %i', ([reason, code]) => {
  expect(fake([`{ at: 0, node: a, gpu: 0, set: { temperatureC: ${reason} } }`]).returns).toEqual([
    { symbol: 'nvmlDeviceGetTemperature', gpu: 0, code },
  ]);
});

test('one of several readings of a function can lack support, but not fail in a way of its own', () => {
  expect(
    fake(['{ at: 0, gpu: 0, set: { smClockMhz: notSupported } }'], { node: 'b' }).gpus[0]?.clocksMHz,
  ).toEqual({
    graphics: expect.any(Number),
    memory: expect.any(Number),
    video: expect.any(Number),
  });
  expect(() => fake(['{ at: 0, gpu: 0, set: { smClockMhz: noPermission } }'])).toThrow(
    /nvmlDeviceGetClockInfo answers graphicsClockMhz, smClockMhz, memoryClockMhz, videoClockMhz/,
  );
});

test('a hung GPU hangs every call that names it, and no other', () => {
  expect(fake(['{ at: 0, hang: true }']).hangs).toEqual([{ gpu: 0 }, { gpu: 1 }]);
  expect(fake(['{ at: 0, hang: true }', '{ at: 1, hang: false }'], { atMs: 1000 }).hangs).toEqual([]);
});

test('a driver that goes away is not loaded, and comes back in a new generation', () => {
  const timeline = ['{ at: 1, returns: { nvmlInit_v2: 9 } }', '{ at: 2, returns: { nvmlInit_v2: 0 } }'];

  expect(fake(timeline)).toMatchObject({ driver: 'loaded', generation: 0 });
  expect(fake(timeline, { atMs: 1500 })).toMatchObject({ driver: 'notLoaded', generation: 1 });
  expect(fake(timeline, { atMs: 2000 })).toMatchObject({ driver: 'loaded', generation: 1, returns: [] });
});

test('any other code of init fails only init', () => {
  expect(fake(['{ at: 0, returns: { nvmlInit_v2: 18 } }'])).toMatchObject({
    driver: 'loaded',
    returns: [
      { symbol: 'nvmlInit_v2', code: 18 },
      { symbol: 'nvmlInitWithFlags', code: 18 },
    ],
  });
});

test('the demo can be written as a file of the fake', () => {
  const text = fakeNvmlText(toFakeNvml(demoScenario, 'gpu-node-2', 0));

  expect(text).toContain('gpus 8\n');
  expect(text).toContain('\ngpu 3 remappedRows 0 1 1 0\n');
  expect(text).toContain('\ngpu 3 field.230 u32 1\n');
  expect(text).not.toMatch(/null|undefined|NaN/);
});
