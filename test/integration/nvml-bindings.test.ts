import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { describe, expect, test } from 'vitest';

import { nvmlReturn } from '../../src/core/nvml-return.ts';
import {
  clockTypes,
  eccCounters,
  eccErrors,
  inforomObjects,
  memoryV2Version,
  prototypes,
  structs,
  temperatureSensors,
  temperatureThresholds,
} from '../../src/server/nvml/abi.ts';
import { layouts } from '../support/nvml/layout.ts';

/** What the libraries of two real drivers export. */
const exported: Record<string, string[]> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../support/nvml/nvml-symbols.json'), 'utf8'),
);
const known = new Set(Object.values(exported).flat());
const bound = Object.values(prototypes).flat().map(symbolIn);

function symbolIn(prototype: string): string {
  return /\b(nvml\w+)\(/.exec(prototype)?.[1] ?? '';
}

describe.for(Object.entries(structs))('%s', ([name, type]) => {
  const layout = layouts[name];

  test('has the size and alignment of nvml.h', () => {
    expect(layout).toMatchObject({ kind: 'struct', size: koffi.sizeof(type), align: koffi.alignof(type) });
  });

  test('has every member of nvml.h, where nvml.h has it', () => {
    if (layout?.kind !== 'struct') throw new Error(`no struct ${name}`);
    const members = koffi.type(type).members ?? {};
    const ours = Object.entries(members).map(([member, { offset, type: of }]) => [
      member,
      offset,
      koffi.sizeof(of),
    ]);

    expect(ours).toEqual(layout.fields.map(({ name: field, offset, size }) => [field, offset, size]));
    for (const [member, offset] of ours) expect(koffi.offsetof(type, String(member))).toBe(offset);
  });
});

test('the tag of a struct is its size with the revision in the top byte', () => {
  expect(memoryV2Version).toBe(((layouts['nvmlMemory_v2_t']?.size ?? 0) | (2 << 24)) >>> 0);
});

test('every constant has the value of nvml.h', () => {
  const numberOf = (name: string) =>
    Object.values(layouts)
      .flatMap((layout) => (layout.kind === 'enum' ? [layout.values[name]] : []))
      .find((value) => value !== undefined);

  for (const [name, code] of Object.entries(nvmlReturn))
    expect([name, numberOf(name === 'SUCCESS' ? 'NVML_SUCCESS' : `NVML_ERROR_${name}`)]).toEqual([
      name,
      code,
    ]);
  expect(inforomObjects).toEqual({
    OEM: numberOf('NVML_INFOROM_OEM'),
    ECC: numberOf('NVML_INFOROM_ECC'),
    POWER: numberOf('NVML_INFOROM_POWER'),
  });
  expect(clockTypes).toEqual({
    GRAPHICS: numberOf('NVML_CLOCK_GRAPHICS'),
    SM: numberOf('NVML_CLOCK_SM'),
    MEM: numberOf('NVML_CLOCK_MEM'),
    VIDEO: numberOf('NVML_CLOCK_VIDEO'),
  });
  expect(eccErrors).toEqual({
    CORRECTED: numberOf('NVML_MEMORY_ERROR_TYPE_CORRECTED'),
    UNCORRECTED: numberOf('NVML_MEMORY_ERROR_TYPE_UNCORRECTED'),
  });
  expect(eccCounters).toEqual({
    VOLATILE: numberOf('NVML_VOLATILE_ECC'),
    AGGREGATE: numberOf('NVML_AGGREGATE_ECC'),
  });
  expect(temperatureSensors).toEqual({ GPU: numberOf('NVML_TEMPERATURE_GPU') });
  expect(temperatureThresholds).toEqual({
    SHUTDOWN: numberOf('NVML_TEMPERATURE_THRESHOLD_SHUTDOWN'),
    SLOWDOWN: numberOf('NVML_TEMPERATURE_THRESHOLD_SLOWDOWN'),
    MEM_MAX: numberOf('NVML_TEMPERATURE_THRESHOLD_MEM_MAX'),
    GPU_MAX: numberOf('NVML_TEMPERATURE_THRESHOLD_GPU_MAX'),
  });
});

test('every function that is bound is exported by both real drivers', () => {
  for (const [driver, symbols] of Object.entries(exported))
    expect([driver, bound.filter((symbol) => !symbols.includes(symbol))]).toEqual([driver, []]);
});

test('no function is bound that blocks for tens of milliseconds, or that changes anything', () => {
  const blocking = ['nvmlDeviceGetPcieThroughput', 'nvmlInit_v2', 'nvmlSystemGetCudaDriverVersion_v2'];

  expect(bound.filter((symbol) => blocking.includes(symbol))).toEqual([]);
  expect(
    bound.filter((symbol) =>
      /^nvml(?:Device|System|Unit|Gpm)?(?:Set|Reset|Clear|Modify|Remove)/.test(symbol),
    ),
  ).toEqual([]);
});

test('where a function has versions, none is bound without one: that would be the oldest ABI', () => {
  const versioned = new Set(
    [...known].filter((symbol) => /_v\d+$/.test(symbol)).map((symbol) => symbol.replace(/_v\d+$/, '')),
  );

  const unversioned = bound.filter((symbol) => versioned.has(symbol));

  // The version of CUDA without _v2, which would load libcuda; the rows without _v2, which 590 does not have; memory
  // without _v2 for drivers that have no other.
  expect(unversioned).toEqual([
    'nvmlSystemGetCudaDriverVersion',
    'nvmlDeviceGetMemoryInfo',
    'nvmlDeviceGetRemappedRows',
  ]);
});

test('of a versioned function the newest is bound', () => {
  const newest = (symbol: string) =>
    [...known]
      .filter((other) => new RegExp(`^${symbol.replace(/_v\d+$/, '')}_v\\d+$`).test(other))
      .sort()
      .at(-1);

  const first = Object.values(prototypes).map(([prototype = '']) => symbolIn(prototype));
  const versioned = first.filter((symbol) => /_v\d+$/.test(symbol));

  expect(versioned.map(newest)).toEqual(versioned);
});
