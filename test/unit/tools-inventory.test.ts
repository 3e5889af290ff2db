import { describe, expect, test } from 'vitest';

import type { MigDevice } from '../../src/core/mode-readings.ts';
import type { DriverState } from '../../src/core/snapshot.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { inventoryRow } from '../../src/tools/inventory-row.ts';
import { ask, lines } from '../support/answers.ts';
import { driverInfo, driverOk, gpu, nowMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const four = (node: number) => [0, 1, 2, 3].map((index) => gpu(index, {}, { node }));
const a100 = { name: 'NVIDIA A100-SXM4-80GB', powerLimitWatts: 400 };

test('equal nodes are one line, a rare kind comes before the many', () => {
  const fleet = {
    'gpu-1': snapshot(four(1)),
    'gpu-2': snapshot(four(2)),
    'gpu-3': snapshot([gpu(0, a100), gpu(1, a100)]),
    'gpu-10': snapshot(four(10)),
  };

  expect(lines(inventory, fleet)).toEqual([
    '14 GPUs on 4 nodes: 12 × NVIDIA H100 80GB HBM3, 2 × NVIDIA A100-SXM4-80GB. Readings at most 1 s old; those taken once a minute at most 31 s.',
    'gpu-3: 2 × NVIDIA A100-SXM4-80GB, 80 GiB, limit 400 W, ECC on, MIG off, persistence on; driver 580.126.20, CUDA 13.0',
    'gpu-[1-2,10] each (3 nodes): 4 × NVIDIA H100 80GB HBM3, 80 GiB, limit 700 W, ECC on, MIG off, persistence on; driver 580.126.20, CUDA 13.0',
  ]);
});

const confidential = { environment: 'production', enabled: true, devTools: false } as const;

test.for([
  ['another driver', {}, { driverVersion: { value: '550.1' } }],
  ['another NVML', {}, { nvmlVersion: { value: '13.1' } }],
  ['confidential computing on', {}, { confidentialComputing: { value: confidential } }],
  ['another power limit', { powerLimitWatts: 500 }, {}],
  ['ECC off', { eccMode: { current: false, pending: false } }, {}],
  ['MIG on', { migMode: { current: true, pending: true } }, {}],
  ['MIG pending', { migMode: { current: false, pending: true } }, {}],
  ['persistence off', { persistenceMode: false }, {}],
  ['less memory', { memory: { totalBytes: 1, reservedBytes: 0, usedBytes: 0, freeBytes: 1 } }, {}],
  ['a power limit that cannot be read', { powerLimitWatts: { missing: 'noPermission' } }, {}],
] as const)('a node with %s is not equal', ([, given, info]) => {
  const driver: DriverState = { state: 'ok', info: { ...driverInfo, ...info } };
  const odd = snapshot([gpu(0, given), gpu(1)], driver);

  const { structured } = ask(inventory, {
    a: snapshot([gpu(0), gpu(1)]),
    b: odd,
    c: snapshot([gpu(0), gpu(1)]),
  });

  expect(structured['rows']).toMatchObject([{ nodes: ['b'] }, { nodes: ['a', 'c'] }]);
});

test('of one GPU the software is told with NVML and confidential computing, or why it is not', () => {
  const info = {
    ...driverInfo,
    cudaVersion: { missing: 'notSupportedByDriver' },
    confidentialComputing: { value: confidential },
  } as const;
  const fleet = { a: snapshot([gpu(0), gpu(1)], { state: 'ok', info }) };

  const [, group] = lines(inventory, fleet);
  const [, one] = lines(inventory, fleet, { gpu: 0 });
  expect(group).toMatch(
    /; driver 580\.126\.20, CUDA unknown, confidential computing on \(production\), missing: cudaVersion \(notSupportedByDriver\)$/,
  );
  expect(one).toMatch(
    /, driver 580\.126\.20, CUDA unknown, NVML 13\.580\.126\.20, confidential computing on \(production\), missing: cudaVersion \(notSupportedByDriver\)$/,
  );
});

const migDevice = (index: number, profile: string): MigDevice => ({
  index,
  uuid: { value: `MIG-00000000-0000-4000-8000-00000000000${index}` },
  name: { value: `NVIDIA H100 80GB HBM3 MIG ${profile}` },
  gpuInstanceId: { value: 7 + index },
  computeInstanceId: { value: 0 },
  memory: { missing: 'noPermission' },
  slices: { missing: 'notSupportedByDriver' },
});
const divided = {
  migMode: { current: true, pending: true },
  migDevices: [migDevice(0, '3g.40gb'), migDevice(1, '1g.10gb'), migDevice(2, '1g.10gb')],
} as const;

test('of GPUs that are divided the profiles are counted', () => {
  const fleet = { a: snapshot([gpu(0, divided), gpu(1, divided), gpu(2)]) };

  expect(lines(inventory, fleet)[1]).toContain(
    '2 × NVIDIA H100 80GB HBM3, 80 GiB, limit 700 W, ECC on, MIG on with 2 × 1g.10gb, 1 × 3g.40gb, persistence on; 1 ×',
  );
});

test('a GPU is found by the UUID of a MIG device on it, and each device says what it cannot tell', () => {
  const fleet = { a: snapshot([gpu(0, divided), gpu(1)]) };

  const [, row, ...others] = lines(inventory, fleet, { gpu: 'MIG-00000000-0000-4000-8000-000000000001' });
  expect(others).toEqual([]);
  expect(row).toMatch(
    /^a GPU 0: .*1: 1g\.10gb MIG-00000000-0000-4000-8000-000000000001 GI 8 CI 0 missing: memory \(noPermission\), slices \(notSupportedByDriver\);/,
  );
});

describe('a GPU that is not there is shown, first', () => {
  test.for([
    ['lost', 'LOST: off the bus, for 3 min'],
    ['hung', 'HUNG: a driver call on it does not return, for 3 min'],
    ['vanished', 'VANISHED: the driver no longer offers it, for 3 min'],
  ] as const)('%s', ([trouble, words]) => {
    const fleet = {
      'gpu-1': snapshot([gpu(0), gpu(1, {}, { trouble })]),
      'gpu-2': snapshot([gpu(0), gpu(1)]),
    };

    const [head, first, ...rest] = lines(inventory, fleet);

    expect(head).toMatch(/^4 GPUs on 2 nodes: 4 × /);
    expect(first).toMatch(`gpu-1 GPU 1: ${words}, NVIDIA H100`);
    expect(first).toContain('PCI 0000:11:00.0');
    expect(rest.join('\n')).toMatch(/^gpu-1: 1 × NVIDIA H100.*\ngpu-2: 2 × NVIDIA H100/);
  });

  test('a node all of whose GPUs are lost is not called a node without GPUs', () => {
    const fleet = { a: snapshot([gpu(0, {}, { trouble: 'lost' }), gpu(1, {}, { trouble: 'lost' })]) };

    expect(lines(inventory, fleet).join('\n')).not.toContain('no GPU');
  });

  test('one of which nothing can be read is shown with the reason', () => {
    const fleet = {
      a: snapshot([gpu(0), unreadableGpu(1, 'nvmlReturn999', { pciAddress: '0000:11:00.0' })]),
    };

    const text = lines(inventory, fleet);

    expect(text[0]).toContain('2 GPUs on 1 node: 1 × unknown model, 1 × NVIDIA H100 80GB HBM3');
    expect(text[1]).toMatch(/^a GPU 1: PCI 0000:11:00\.0, .*missing: .*name uuid.*\(nvmlReturn999\)/);
  });
});

test('a value that is missing is said with its reason, and never 0', () => {
  const odd = gpu(0, { memory: { missing: 'notSupported' }, powerLimitWatts: { missing: 'noPermission' } });

  const [, summary] = lines(inventory, { a: snapshot([odd]) });
  const [, full] = lines(inventory, { a: snapshot([odd]) }, { detail: 'full' });

  for (const line of [summary, full]) {
    expect(line).toMatch(
      /missing: memory \(notSupported\).*, powerLimitWatts \(noPermission\)|missing: memory.*retiredPagesPending.*powerLimitWatts/,
    );
    expect(line).not.toMatch(/\b0 GiB|limit 0|of 0 W/);
  }
  expect(full).toContain('350.5 of ? W');
});

test('every reading of a GPU is in its full line: as a value, or as missing', () => {
  const state = gpu(3);
  const [, line] = lines(inventory, { a: snapshot([state]) }, { gpu: 3 });

  for (const part of [
    'a GPU 3: NVIDIA H100 80GB HBM3',
    'GPU-00000000-0000-0000-0000-000000000003',
    'serial 1650000000003',
    'PCI 0000:1f:00.0 (gen 5 of 5, 16 of 16 lanes, replays 0)',
    'brand NVIDIA, hopper, compute capability 9.0, part 692-2G520-0200-000, module 1',
    'VBIOS 96.00.A5.00.01, InfoROM image G520.0200.00.05 OEM 2.1 ECC 7.16 power 1.0 valid, GSP firmware 580.126.20',
    'near NUMA node 0, near CPUs 0-47,96-143',
    'compute mode default, virtualization none, NVLink fabric completed, healthy',
    '/dev/nvidia3',
    '20 GiB of 80 GiB used (+ 1 GiB reserved, 59 GiB free)',
    '60 % busy (memory 20 %), encoder 0 %, decoder 0 %',
    '55 °C (memory 61, slowdown 89, shutdown 95)',
    '350.5 of 700 W (default 700, settable 200 to 700), 123457 J since driver load',
    'clocks graphics 1755 / SM 1755 / memory 2619 MHz',
    'P0',
    "ECC on: 0 uncorrected, 0 corrected since driver load (board's life: 0, 0)",
    'remapped rows 0 correctable + 0 uncorrectable',
    'recovery action none',
    'MIG off',
    'persistence on',
    'read 1 s ago',
    'missing: retiredPagesPending (notSupported)',
    'driver 580.126.20, CUDA 13.0',
  ])
    expect(line).toContain(part);
});

test('a node without a driver is named first, with what to do; a node without GPUs is named', () => {
  const away: DriverState = {
    state: 'unavailable',
    code: 'DRIVER_NOT_FOUND',
    message: 'cannot load libnvidia-ml.so.1',
    hint: 'Give the pod the driver.',
    sinceMs: nowMs - 300_000,
  };
  const fleet = { a: snapshot([gpu(0)]), b: snapshot([], away), c: snapshot([]) };

  for (const detail of ['summary', 'full']) {
    const [head, first, ...rest] = lines(inventory, fleet, { detail });

    expect(head).toMatch(/^1 GPU on 3 nodes/);
    expect(first).toBe(
      'b: DRIVER_NOT_FOUND for 5 min: cannot load libnvidia-ml.so.1. Give the pod the driver.',
    );
    expect(rest.join('\n')).toContain('c: no GPU; driver 580.126.20');
  }
});

test('made-up data is said to be made up: of all nodes, or of which', () => {
  const made = snapshot([gpu(0)], driverOk, true);

  expect(lines(inventory, { a: made, b: made })[0]).toBe('SIMULATED DATA: these GPUs are made up.');
  expect(lines(inventory, { a: made, b: snapshot([gpu(0)]) })[0]).toBe(
    'SIMULATED DATA on a: those GPUs are made up.',
  );
  expect(lines(inventory, { b: snapshot([gpu(0)]) }).join('\n')).not.toContain('SIMULATED');
});

test('memory of a driver that does not tell what is reserved is in numbers, as an older bridge expects', () => {
  const memory = {
    totalBytes: 80 * 2 ** 30,
    reservedBytes: null,
    usedBytes: 2 ** 30,
    freeBytes: 79 * 2 ** 30,
  };
  const state = gpu(0, { memory });

  expect(inventoryRow.of(state, nowMs).memory).toEqual({
    ...memory,
    reservedBytes: 0,
    usedIncludesReserved: true,
  });
  expect(lines(inventory, { a: snapshot([state]) }, { detail: 'full' }).join()).toContain(
    '1 GiB of 80 GiB used (with what is reserved, 79 GiB free)',
  );
});
