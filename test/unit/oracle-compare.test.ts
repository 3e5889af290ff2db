import { expect, test } from 'vitest';

import { readingNames } from '../../src/core/gpu.ts';
import { judged, valueAt } from '../oracle/compare.ts';
import { type Mapped, mapping } from '../oracle/mapping.ts';

function how(ours: string): Mapped {
  const found = mapping.find((each) => each.ours === ours);
  if (!found) throw new Error(`nothing is mapped to ${ours}`);
  return found;
}

const still = (text: string | undefined) => ({ before: text, after: text });

test.for([
  ['graphicsClockMhz', 675, '675 MHz'],
  ['pcieWidth', 8, '8x'],
  ['performanceState', 5, 'P5'],
  ['rowRemapHistogram.max', 640, '640 bank(s)'],
  ['memory.totalBytes', 85_520_809_984, '81559 MiB'],
  ['powerLimitWatts', 95, '95.00 W'],
  ['shutdownMarginC', -12, '-12 C'],
  ['hwThermalSlowdownSeconds', 91.403239, '91403239 us'],
  ['energyJoules', 6049.123, '6049.123'],
  ['persistenceMode', true, 'Enabled'],
  ['migMode.current', false, 'Disabled'],
  ['remappedRows.pending', false, 'No'],
  ['inforomValid', true, 'valid'],
  ['pciAddress', '0000:3b:00.0', '00000000:3B:00.0'],
  ['architecture', 'ada', 'Ada Lovelace'],
  ['computeMode', 'exclusiveProcess', 'Exclusive_Process'],
  ['virtualizationMode', 'none', 'None'],
  ['recoveryAction', 'nodeReboot', 'Reboot'],
  ['recoveryAction', 'drainAndReset', 'Drain and Reset'],
  ['clocksEventReasons', ['swPowerCap', 'hwSlowdown'], 'hw_slowdown sw_power_cap'],
  ['clocksEventReasons', [], 'none'],
  ['cpuAffinity', '0-31,64-95', '0-31,64-95'],
] as const)('%s: %o is what they write as %s', ([ours, value, theirs]) => {
  expect(judged(value, still(theirs), how(ours))).toBe('agrees');
});

test.for([
  ['graphicsClockMhz', 676, '675 MHz'],
  ['memory.totalBytes', 80_000_000_000, '81559 MiB'],
  ['persistenceMode', true, 'Disabled'],
  ['serial', '1650000000001', '1650000000002'],
  ['computeCapability', '1.10', '11.0'],
  ['recoveryAction', 'drainAndReset', 'Reset'],
  ['clocksEventReasons', ['hwSlowdown'], 'hw_slowdown sw_power_cap'],
  ['cpuAffinity', '0-31', '0-3,1'],
] as const)('%s: %o is not %s', ([ours, value, theirs]) => {
  expect(judged(value, still(theirs), how(ours))).toBe('differs');
});

test.for([
  'N/A',
  '[N/A]',
  '[Not Supported]',
  '[Unknown Error]',
  'Requested functionality has been deprecated',
  undefined,
])('that %s is no value is seen on both sides', (theirs) => {
  expect(judged(null, still(theirs), how('serial'))).toBe('bothMissing');
  expect(judged('1', still(theirs), how('serial'))).toBe('missingThere');
});

test('a value that only they tell is a disagreement of its own', () => {
  expect(judged(null, still('42 C'), how('memoryTemperatureC'))).toBe('missingHere');
});

test('what moves agrees between the two times that they were asked, and else nothing can be said', () => {
  const moving = { before: '40 C', after: '44 C' };

  expect(judged(42, moving, how('temperatureC'))).toBe('agrees');
  expect(judged(50, moving, how('temperatureC'))).toBe('moved');
  expect(judged(50, still('44 C'), how('temperatureC'))).toBe('differs');
});

test('a value is found in objects, lists, and by the name of a place or link', () => {
  const row = {
    memory: { usedBytes: 5 },
    eccLocations: [{ location: 'dram', correctedVolatile: 3 }],
    nvlinks: [
      { link: 1, active: false },
      { link: 0, active: true },
    ],
    fanPercents: [30, 31],
    fabric: null,
  };

  expect(
    ['memory.usedBytes', 'eccLocations.dram.correctedVolatile', 'nvlinks.0.active', 'nvlinks.length'].map(
      (path) => valueAt(row, path),
    ),
  ).toEqual([5, 3, true, 2]);
  expect(['fanPercents.0', 'fabric.state', 'serial'].map((path) => valueAt(row, path))).toEqual([
    30,
    null,
    null,
  ]);
});

test('every reading has an oracle', () => {
  const mapped = new Set(mapping.map(({ ours }) => ours.split('.')[0]));

  expect(readingNames.filter((name) => !mapped.has(name))).toEqual([]);
  for (const { ours, xml, query, pynvml } of mapping)
    expect([ours, xml ?? query ?? pynvml]).toEqual([ours, expect.anything()]);
});
