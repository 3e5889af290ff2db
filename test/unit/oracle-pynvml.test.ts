import { expect, test } from 'vitest';

import { compare } from '../oracle/compare.ts';
import { checks } from '../oracle/findings.ts';
import { expected } from '../support/nvml/every-reading.ts';
import { inquiries } from '../support/oracle-inquiries.ts';

const readings: Readonly<Record<string, unknown>> = {
  ...expected,
  ...inquiries,
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
  [
    'processes.usedBytes',
    '{"4002 compute": null, "4001 compute+graphics": 2147483648}',
    '{"4002 compute": null, "4001 compute": 2147483648}',
  ],
  ['peers.commonAncestor', '{"0000:2b:00.0": "SYSTEM"}', '{"0000:2b:00.0": "CPU"}'],
  ['peers.read', '{"0000:2b:00.0": "OK"}', '{"0000:3b:00.0": "OK"}'],
  ['peers.write', '{"0000:2b:00.0": "CHIPSET_NOT_SUPPORTED"}', '{"0000:2b:00.0": "OK"}'],
  ['peers.nvlink', '{"0000:2b:00.0": "IOH_TOPOLOGY_NOT_SUPPORTED"}', '{}'],
  ['peers.atomics', '{"0000:2b:00.0": "DISABLED_BY_REGKEY"}', '{"0000:2b:00.0": "UNKNOWN"}'],
  ['peers.pci', '{"0000:2b:00.0": "NOT_SUPPORTED"}', '{"0000:2b:00.0": "GPU_NOT_SUPPORTED"}'],
  ['gpm.smOccupancyPercent', '31.5', '59.0'],
];

test.for(told)('%s is what pynvml tells as %s, and not as %s', ([name, alike, different]) => {
  const [found] = checks.filter((each) => each.name === name && each.check.from[0]?.startsWith('pynvml '));
  const verdict = (text: string) =>
    found && compare(found.check, readings[found.reading], { before: text, after: text });

  expect([verdict(alike), verdict(different)]).toEqual(['agrees', 'differs']);
  expect(verdict('[error: Not Supported]')).toBe('missing there');
});

test('memory of a process that grows has moved, and a process that the oracle saw end, too', () => {
  const [found] = checks.filter(({ name }) => name === 'processes.usedBytes');
  const infos = (...all: string[][]) =>
    JSON.stringify({ process_info: all.map(([pid, type, used_memory]) => ({ pid, type, used_memory })) });
  const [grown, other] = [
    ['4001', 'C+G', '2060 MiB'],
    ['4002', 'C', 'N/A'],
  ];
  const verdict = (before: string, after: string) =>
    found && compare(found.check, inquiries.processes, { before, after });

  expect(verdict(infos(grown, other), infos(grown, other))).toBe('moved');
  expect(verdict(infos(grown, other), infos(grown))).toBe('moved');
  expect(verdict(infos(grown), infos(grown))).toBe('differs');
  expect(verdict('N/A', 'N/A')).toBe('missing there');
});
