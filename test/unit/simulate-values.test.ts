import { expect, test } from 'vitest';

import type { GpuReadings } from '../../src/core/gpu.ts';
import { type Reading, reasons } from '../../src/core/reading.ts';
import { defaultScenario, demoScenario } from '../../src/simulate/built-in.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { modelReadings } from '../../src/simulate/model-readings.ts';
import { type ModelName, modelNames, models } from '../../src/simulate/models.ts';
import type { Scenario } from '../../src/simulate/scenario.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const everyModel: Scenario = {
  ...defaultScenario,
  nodes: modelNames.map((model) => ({
    name: model.toLowerCase(),
    driver: '580.126.20',
    cuda: '13.0',
    gpus: [model],
  })),
};

/** The readings of one GPU at several times in ms, from a driver of its own. */
async function samples(scenario: Scenario, node: string, index: number, timesMs: readonly number[]) {
  let now = 0;
  const driver = simulatedDriver({ scenario, node, nowMs: () => now });
  await driver.open();
  const taken: GpuReadings[] = [];
  for (now of timesMs) taken.push(await driver.read(index));
  return taken;
}

function present<T>(reading: Reading<T>): T {
  if ('missing' in reading) throw new Error(`missing: ${reading.missing}`);
  return reading.value;
}

const aDay = Array.from({ length: 24 * 20 }, (_, sample) => sample * 3 * MINUTE_MS);

test('two drivers of the same node and time say the same', async () => {
  const times = [0, 17_123, 5 * HOUR_MS];

  expect(await samples(demoScenario, 'gpu-node-3', 5, times)).toEqual(
    await samples(demoScenario, 'gpu-node-3', 5, times),
  );
});

test('what is read at a time does not depend on what was read before', async () => {
  const [, late] = await samples(demoScenario, 'gpu-node-1', 0, [0, HOUR_MS]);

  expect(late).toEqual((await samples(demoScenario, 'gpu-node-1', 0, [HOUR_MS]))[0]);
});

test('no two GPUs of a fleet have the same UUID or serial, and no two of a node the same address', async () => {
  const identities: { node: string; readings: GpuReadings }[] = [];
  for (const { name, gpus } of demoScenario.nodes) {
    for (const index of gpus.keys()) {
      const [readings] = await samples(demoScenario, name, index, [0]);
      if (readings) identities.push({ node: name, readings });
    }
  }

  const distinct = (key: (one: (typeof identities)[number]) => string) => new Set(identities.map(key)).size;
  expect(identities).toHaveLength(28);
  expect(distinct(({ readings }) => present(readings.uuid))).toBe(28);
  expect(distinct(({ readings }) => present(readings.serial))).toBe(28);
  expect(distinct(({ node, readings }) => `${node} ${present(readings.pciAddress)}`)).toBe(28);
});

test('a thousand nodes have no UUID or serial in common', { timeout: 30_000 }, async () => {
  const names = Array.from({ length: 1000 }, (_, at) => `gpu-node-${at}`);
  const node = { driver: '580.126.20', cuda: '13.0', gpus: Array<ModelName>(8).fill('H100') };
  const scenario = { ...everyModel, nodes: names.map((name) => ({ ...node, name })) };
  const uuids = new Set<string>();
  const serials = new Set<string>();
  for (const one of scenario.nodes) {
    for (const index of one.gpus.keys()) {
      const { uuid, serial } = modelReadings(one, index, 0);
      uuids.add(present(uuid));
      serials.add(present(serial));
    }
  }

  expect(uuids.size).toBe(8000);
  expect(serials.size).toBe(8000);
});

test('even 32 GPUs of a node have an address each', async () => {
  const full = {
    ...everyModel,
    nodes: [{ name: 'full', driver: '580.1', cuda: '13.0', gpus: Array<ModelName>(32).fill('GB200') }],
  };
  const addresses = new Set<string>();
  for (let index = 0; index < 32; index += 1) {
    for (const { pciAddress } of await samples(full, 'full', index, [0])) addresses.add(present(pciAddress));
  }

  expect(addresses.size).toBe(32);
  for (const address of addresses) expect(address).toMatch(/^00[01][89]:[0-9a-f]{2}:00\.0$/);
});

test.for(modelNames)(
  'over a day a %s stays within what the board can do, and is both busy and idle',
  async (name) => {
    const model = models[name];

    const day = await samples(everyModel, name.toLowerCase(), 0, aDay);

    for (const readings of day) {
      const { totalBytes, reservedBytes, usedBytes, freeBytes } = present(readings.memory);
      expect(totalBytes).toBe(model.totalMib * 1024 * 1024);
      expect(usedBytes).toBeGreaterThanOrEqual(0);
      expect(freeBytes).toBeGreaterThan(0);
      expect((reservedBytes ?? Number.NaN) + usedBytes + freeBytes).toBe(totalBytes);

      const { gpuPercent, memoryPercent } = present(readings.utilization);
      within(gpuPercent, 0, 100);
      within(memoryPercent, 0, gpuPercent);
      within(present(readings.temperatureC), model.idleC, model.busyC);
      within(present(readings.powerWatts), model.idleWatts, model.defaultPowerLimitWatts);
      within(present(readings.smClockMhz), model.idleClockMhz, model.maxClockMhz);
      within(present(readings.memoryClockMhz), model.idleMemoryClockMhz, model.memoryClockMhz);
    }
    const percents = day.map(({ utilization }) => present(utilization).gpuPercent);
    expect(percents.filter((percent) => percent === 0).length).toBeGreaterThan(40);
    expect(percents.filter((percent) => percent > 80).length).toBeGreaterThan(40);
  },
);

test('from one sample to the next, ten seconds later, values move but do not jump', async () => {
  const times = Array.from({ length: 1000 }, (_, sample) => sample * 10_000);
  const day = await samples(defaultScenario, 'gpu-node-1', 4, times);

  const steps = (of: (readings: GpuReadings) => number) =>
    day.slice(1).map((readings, at) => Math.abs(of(readings) - of(day[at] as GpuReadings)));
  expect(Math.max(...steps(({ utilization }) => present(utilization).gpuPercent))).toBeLessThanOrEqual(15);
  expect(Math.max(...steps(({ temperatureC }) => present(temperatureC)))).toBeLessThanOrEqual(4);
  expect(Math.max(...steps(({ powerWatts }) => present(powerWatts)))).toBeLessThanOrEqual(100);
  expect(steps(({ powerWatts }) => present(powerWatts)).some((step) => step > 0)).toBe(true);
});

test('a busy GPU is hotter, draws more, and holds more memory than an idle one', async () => {
  const day = await samples(defaultScenario, 'gpu-node-1', 2, aDay);
  const mean = (of: (readings: GpuReadings) => number, busy: boolean) => {
    const some = day.filter(({ utilization }) => present(utilization).gpuPercent > 80 === busy).map(of);
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  };

  for (const of of [
    ({ temperatureC }: GpuReadings) => present(temperatureC),
    ({ powerWatts }: GpuReadings) => present(powerWatts),
    ({ memory }: GpuReadings) => present(memory).usedBytes,
  ]) {
    expect(mean(of, true)).toBeGreaterThan(1.3 * mean(of, false));
  }
});

test('energy is what power adds up to, from the start on', async () => {
  const times = Array.from({ length: 361 }, (_, sample) => sample * 10_000);
  const hour = await samples(defaultScenario, 'gpu-node-1', 2, times);

  const joules = hour.map(({ energyJoules }) => present(energyJoules));
  const watts = hour.map(({ powerWatts }) => present(powerWatts));
  const expected = watts.slice(1).reduce((sum, each) => sum + 10 * each, 0);
  expect(joules[0]).toBe(0);
  expect(joules).toEqual([...joules].sort((a, b) => a - b));
  within((joules.at(-1) ?? 0) / expected, 0.95, 1.05);
});

test('an idle GPU says that it is idle, and a busy one does not', async () => {
  const day = await samples(everyModel, 't4', 0, aDay);

  for (const { utilization, clocksEventReasons, performanceState } of day) {
    const busy = present(utilization).gpuPercent > 0;
    if (!busy) continue;
    expect(present(clocksEventReasons)).not.toContain('gpuIdle');
    expect(present(performanceState)).toBe(0);
  }
  expect(day.some(({ performanceState }) => present(performanceState) === 8)).toBe(true);
  expect(day.some(({ clocksEventReasons }) => present(clocksEventReasons).includes('swPowerCap'))).toBe(true);
});

const always = ['inforomPowerVersion'];
const beforeBlackwell = ['platform', 'numaNode', 'modulePowerWatts'];
const beforeHopper = [
  'temperatureMarginC',
  ...['slowdown', 'shutdown', 'max', 'maxMemory'].map((limit) => `${limit}MarginC`),
  'averagePowerWatts',
  'repairPending',
  'unrepairableMemory',
  'fabric',
];
const retiredPages = ['retiredPagesPending', 'retiredPagesSingleBit', 'retiredPagesDoubleBit'];
const nvlinkTraffic = ['nvlinkTxBytes', 'nvlinkRxBytes'];
const thresholds = ['slowdown', 'shutdown', 'maxMemory', 'max'].map((limit) => `${limit}TemperatureC`);

test.for([
  [
    'T4',
    [
      ...beforeBlackwell,
      ...beforeHopper,
      ...nvlinkTraffic,
      'nvlinks',
      'moduleId',
      'memoryTemperatureC',
      'maxMemoryTemperatureC',
      'pcieTxBytes',
      'pcieRxBytes',
      ...['Correctable', 'NonFatal', 'Fatal'].map((kind) => `pcie${kind}Errors`),
      'sramEcc',
      'remappedRows',
      'rowRemapHistogram',
      'swThermalSlowdownSeconds',
      'hwThermalSlowdownSeconds',
      'hwPowerBrakeSlowdownSeconds',
      'migMode',
      'migDevices',
    ],
  ],
  ['A100', [...beforeBlackwell, ...beforeHopper, ...retiredPages]],
  ['H100', [...beforeBlackwell, ...retiredPages]],
  ['B200', [...thresholds, ...nvlinkTraffic, ...retiredPages, 'numaNode', 'modulePowerWatts']],
  ['GB200', [...thresholds, ...nvlinkTraffic, ...retiredPages]],
] as [ModelName, string[]][])('a %s lacks what such boards lack', async ([name, missing]) => {
  const [readings] = await samples(everyModel, name.toLowerCase(), 0, [0]);

  expect(reasons(readings ?? {})).toEqual(
    Object.fromEntries([...always, ...missing].map((reading) => [reading, 'notSupported'])),
  );
});

test('a driver before 570 has no verdict of its own', async () => {
  const old = {
    ...defaultScenario,
    nodes: [{ name: 'old', driver: '550.163.01', cuda: '12.4', gpus: ['H100' as const] }],
  };

  const [readings] = await samples(old, 'old', 0, [0]);

  expect(readings?.recoveryAction).toEqual({ missing: 'notSupported' });
});

function within(value: number, least: number, most: number): void {
  expect(value).toBeGreaterThanOrEqual(least);
  expect(value).toBeLessThanOrEqual(most);
}
