import { expect, test } from 'vitest';
import { z } from 'zod';

import { type GpuReadings, readingNames } from '../../src/core/gpu.ts';
import { heatShape } from '../../src/tools/gpu-shape.ts';
import { gpuText } from '../../src/tools/gpu-text.ts';
import { evidenceRow, evidenceText } from '../../src/tools/health-evidence.ts';
import { inventoryRow } from '../../src/tools/inventory-row.ts';
import { metricsRow, metricsText } from '../../src/tools/metrics-row.ts';
import { gpu, nowMs } from '../support/gpus.ts';
import { marks } from '../support/reading-marks.ts';

/** The texts in which readings are told, and which of them each one tells. */
const texts = {
  inventory: { row: inventoryRow, text: gpuText },
  metrics: { row: metricsRow, text: metricsText },
  health: { row: evidenceRow, text: evidenceText },
} as const;
type Tool = keyof typeof texts;
const tools = Object.keys(texts) as Tool[];

function namesIn(tool: Tool): (keyof GpuReadings)[] {
  const shape = texts[tool].row.schema.shape;
  return readingNames.filter((name) => name in shape);
}

const told = tools.flatMap((tool) => namesIn(tool).map((name) => [tool, name] as const));
/** Its own words in a text; health names a counter by its reading. */
function wordsOf(tool: Tool, name: keyof GpuReadings): readonly string[] {
  const [value, ...words] = marks[name];
  if (tool !== 'health' || healthWords.has(name)) return words;
  return typeof value === 'number' ? [`${name} ${value}`] : [`${name} `];
}
const healthWords = new Set<keyof GpuReadings>([
  ...(Object.keys(heatShape) as (keyof typeof heatShape)[]),
  'clocksEventReasons',
  'inforomValid',
  'eccMode',
  'recoveryAction',
  'fabric',
  'nvlinks',
  'eccLocations',
  'sramEcc',
  'rowRemapHistogram',
  'repairPending',
  'unrepairableMemory',
  'pcieGeneration',
  'pcieWidth',
  'maxPcieGeneration',
  'maxPcieWidth',
]);

function textWithout(tool: Tool, absent: ReadonlySet<keyof GpuReadings>): string {
  const readings = Object.fromEntries(
    readingNames.map((name) => [
      name,
      absent.has(name) ? { missing: 'nvmlReturn999' } : { value: marks[name][0] },
    ]),
  ) as unknown as GpuReadings;
  const state = { index: 0, readings, readAtMs: 0, slowReadAtMs: 0, rates: null, trouble: null };
  const { row, text } = texts[tool];
  return (text as (row: unknown) => string)(row.of(state, 1000));
}

test('every reading is told by a tool', () => {
  expect(readingNames.filter((name) => !told.some(([, each]) => each === name))).toEqual([]);
});

// A count of 7 uncorrectable errors was nowhere in the answer, because the ECC mode beside it could not be read.
test.for(told)(
  'in the answer of %s a value is shown whatever else is missing: without %s',
  ([tool, absent]) => {
    const text = textWithout(tool, new Set([absent]));

    for (const name of namesIn(tool).filter((each) => each !== absent))
      for (const words of wordsOf(tool, name)) expect(text).toContain(words);
    expect(text).toMatch(new RegExp(`missing: .*\\b${absent}\\b[^)]*\\(nvmlReturn999\\)`));
  },
);

test.for(told)('in the answer of %s a value is shown even if it is the only one: %s', ([tool, only]) => {
  const text = textWithout(tool, new Set(readingNames.filter((name) => name !== only)));

  for (const words of wordsOf(tool, only)) expect(text).toContain(words);
});

test('an agent that does not know the newer readings is understood, and they are missing for that reason', () => {
  const shape: Readonly<Record<string, unknown>> = inventoryRow.schema.shape;
  const newer: string[] = namesIn('inventory').filter((name) => shape[name] instanceof z.ZodDefault);
  const row = Object.entries(inventoryRow.of(gpu(0), nowMs)).filter(([name]) => !newer.includes(name));

  const text = gpuText(inventoryRow.schema.parse(Object.fromEntries(row)));

  expect(text).toContain('PCI 0000:0a:00.0, 20 GiB');
  expect(text).toContain('60 % busy (memory 20 %), 55 °C (slowdown 89, shutdown 95), 350.5 of 700 W');
  expect(text).not.toMatch(/undefined|dev|encoder \d|replays \d|since driver load, clocks/);
  expect(newer).toContain('minorNumber');
  const [, untold = ''] = /missing: .*?([^,]*) \(notKnownToAgent\)/.exec(text) ?? [];
  expect(untold.trim().split(' ').sort()).toEqual([...newer].sort());
});

test('metrics tell what an operator looks for beside the PCIe link and the video clock', () => {
  expect(metricsText(metricsRow.of(gpu(0, { pcieReplays: 7 }), nowMs))).toMatch(
    /video \d+ of 1545 MHz.*PCIe gen 5 of 5, 16 of 16 lanes, replays 7/,
  );
});
