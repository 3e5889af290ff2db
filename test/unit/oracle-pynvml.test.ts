import { expect, test } from 'vitest';

import { compare } from '../oracle/compare.ts';
import { checks } from '../oracle/findings.ts';
import { expected } from '../support/nvml/every-reading.ts';

const readings: Readonly<Record<string, unknown>> = {
  ...expected,
  migDevices: [{ index: 1, uuid: 'MIG-1', memory: { totalBytes: 10, usedBytes: 2 }, slices: null }],
};

/** What pynvml says of what our tools say otherwise, and what it would say of something else. */
const told: [name: string, alike: string, different: string][] = [
  ['brand', '"NVIDIA"', '"TESLA"'],
  ['architecture', '"HOPPER"', '"ADA"'],
  ['pciAddress', '"00000010:AB:1F.0"', '"00000010:AB:1E.0"'],
  ['computeMode', '"EXCLUSIVE_PROCESS"', '"EXCLUSIVE_THREAD"'],
  ['virtualizationMode', '"PASSTHROUGH"', '"VGPU"'],
  ['fabric.state', '"COMPLETED"', '"IN_PROGRESS"'],
  ['clocksEventReasons', '489', '488'],
  ['recoveryAction', '4', '3'],
  ['cpuAffinity', `[${Array.from({ length: 32 }, (_, cpu) => cpu)}, 64, 127]`, '[0, 64, 127]'],
  ['eccLocations.dram', '[1, 3, 2, 4]', '[1, 2, 3, 4]'],
  ['eccLocations.cbu', '[5, 1099511627776]', '[1099511627776, 5]'],
  ['migDevices.uuid', '["MIG-1"]', '[]'],
  ['migDevices.memory', '[{"totalBytes": 10, "usedBytes": 2}]', '[{"totalBytes": 10}]'],
  ['nvlinks.active', '[true, false]', '[true]'],
  ['nvlinks.remoteType', '["SWITCH", null]', '["IBMNPU", null]'],
  ['nvlinks.remotePciAddress', '["00010001:C1:00.0", null]', '["00010001:C2:00.0", null]'],
  [
    'nvlinks.errors',
    '[{"replays": 5, "recoveries": 6, "crcFlit": 7, "crcData": 8}, {}]',
    '[{"replays": 5, "recoveries": 6, "crcFlit": 8, "crcData": 7}, {}]',
  ],
];

test.for(told)('%s is what pynvml tells as %s, and not as %s', ([name, alike, different]) => {
  const [found] = checks.filter((each) => each.name === name && each.check.from[0]?.startsWith('pynvml '));
  const verdict = (text: string) =>
    found && compare(found.check, readings[found.reading], { before: text, after: text });

  expect([verdict(alike), verdict(different)]).toEqual(['agrees', 'differs']);
  expect(verdict('[error: Not Supported]')).toBe('missing there');
});
