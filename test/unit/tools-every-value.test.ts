import { expect, test } from 'vitest';
import { type GpuReadings, readingNames } from '../../src/core/gpu.ts';
import { gpuRow, gpuRowOf, gpuText } from '../../src/tools/gpu-row.ts';
import { gpu, nowMs } from '../support/gpus.ts';

/** A value for each reading that no other reading's text contains, and the words it must be found by. */
const marks: { readonly [Name in keyof GpuReadings]: readonly [value: unknown, ...words: string[]] } = {
  name: ['Model X', 'Model X'],
  uuid: ['GPU-abc', 'GPU-abc'],
  serial: ['S1650', 'S1650'],
  pciAddress: ['0000:3b:00.0', '0000:3b:00.0'],
  minorNumber: [73, '/dev/nvidia73'],
  memory: [
    { totalBytes: 11 * 2 ** 30, reservedBytes: 2 ** 29, usedBytes: 7 * 2 ** 30, freeBytes: 3.5 * 2 ** 30 },
    '7 GiB of 11 GiB',
  ],
  utilization: [{ gpuPercent: 13, memoryPercent: 17 }, '13 % busy', 'memory 17 %'],
  encoderPercent: [67, 'encoder 67 %'],
  decoderPercent: [71, 'decoder 71 %'],
  temperatureC: [41, '41 °C'],
  memoryTemperatureC: [53, 'memory 53'],
  slowdownTemperatureC: [87, 'slowdown 87'],
  shutdownTemperatureC: [92, 'shutdown 92'],
  powerWatts: [301, '301 of'],
  powerLimitWatts: [702, 'of 702 W'],
  defaultPowerLimitWatts: [703, 'default 703'],
  powerLimitRange: [{ minWatts: 204, maxWatts: 705 }, 'settable 204 to 705'],
  energyJoules: [987_654.321, '987654 J since driver load'],
  graphicsClockMhz: [1101, 'graphics 1101'],
  smClockMhz: [1102, 'SM 1102'],
  memoryClockMhz: [2603, 'memory 2603'],
  clocksEventReasons: [['swPowerCap'], 'held by swPowerCap'],
  performanceState: [3, 'P3'],
  eccMode: [{ current: true, pending: false }, 'ECC on, off after the next reset'],
  eccCorrectedVolatile: [23, '23 corrected'],
  eccUncorrectedVolatile: [29, '29 uncorrected'],
  eccCorrectedAggregate: [31, ', 31)'],
  eccUncorrectedAggregate: [37, 'life: 37'],
  remappedRows: [
    { correctable: 43, uncorrectable: 47, pending: true, failed: false },
    '43 correctable + 47 uncorrectable, pending',
  ],
  retiredPagesPending: [true, 'retired pages pending: yes'],
  recoveryAction: ['gpuReset', 'recovery action gpuReset'],
  pcieReplays: [61, 'replays 61'],
  migMode: [{ current: false, pending: false }, 'MIG off'],
  persistenceMode: [true, 'persistence on'],
};

function textWithout(absent: ReadonlySet<keyof GpuReadings>): string {
  const readings = Object.fromEntries(
    readingNames.map((name) => [
      name,
      absent.has(name) ? { missing: 'nvmlReturn999' } : { value: marks[name][0] },
    ]),
  ) as unknown as GpuReadings;
  return gpuText(gpuRowOf({ index: 0, readings, readAtMs: 0, trouble: null }, 1000));
}

// A count of 7 uncorrectable errors was nowhere in the answer, because the ECC mode beside it could not be read.
test.for(readingNames)('a value is shown whatever else is missing: without %s', (absent) => {
  const text = textWithout(new Set([absent]));

  for (const name of readingNames.filter((each) => each !== absent))
    for (const words of marks[name].slice(1)) expect(text).toContain(words);
  expect(text).toContain(`missing: ${absent} (nvmlReturn999)`);
});

test.for(readingNames)('a value is shown even if it is the only one: %s', (only) => {
  const text = textWithout(new Set(readingNames.filter((name) => name !== only)));

  for (const words of marks[only].slice(1)) expect(text).toContain(words);
});

test('an agent that does not know the newer readings is understood, and they are missing for that reason', () => {
  const newer = [
    'minorNumber',
    'encoderPercent',
    'decoderPercent',
    'memoryTemperatureC',
    'energyJoules',
    'pcieReplays',
  ];
  const row = Object.entries(gpuRowOf(gpu(0), nowMs)).filter(([name]) => !newer.includes(name));

  const text = gpuText(gpuRow.parse(Object.fromEntries(row)));

  expect(text).toContain('PCI 0000:0a:00.0, 20 GiB');
  expect(text).toContain('60 % busy (memory 20 %), 55 °C (slowdown 89, shutdown 95), 350.5 of 700 W');
  expect(text).not.toMatch(/undefined|dev|encoder \d|replays \d|since driver load, clocks/);
  expect(text).toContain(`${newer.join(' ')} (notKnownToAgent)`);
});
