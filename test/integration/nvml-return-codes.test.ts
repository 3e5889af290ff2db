import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';

import { type GpuReadings, readingNames, symbolOf } from '../../src/core/gpu.ts';
import type { NvLink } from '../../src/core/link-readings.ts';
import type { Memory } from '../../src/core/load-readings.ts';
import type { Fabric } from '../../src/core/mode-readings.ts';
import { missingForCode } from '../../src/core/nvml-return.ts';
import { gpuText } from '../../src/tools/gpu-text.ts';
import { tools } from '../../src/tools/index.ts';
import { inventoryRow } from '../../src/tools/inventory-row.ts';
import { metricsRow, metricsText } from '../../src/tools/metrics-row.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import { ask, random } from '../support/answers.ts';
import { snapshot } from '../support/gpus.ts';
import { expected, told } from '../support/nvml/every-reading.ts';

const symbols = [...new Set(Object.values(symbolOf))];
/** Every code of nvml.h but those that say the whole GPU or driver is gone, and one that it does not know. */
const codes = [
  0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 77, 999,
];
const lost = [1, 9, 15, 18, 28];

/** What each symbol returns that does not do as it should. */
type Returns = ReadonlyMap<string, number>;
const corruptedInforom = 14;

/** Those that follow from a code, or from what an older driver tells. */
const rightBesides: { readonly [Name in keyof GpuReadings]?: (value: unknown, returns: Returns) => boolean } =
  {
    inforomValid: (value, returns) => {
      const code = returns.get(symbolOf.inforomValid);
      return value === true ? code === 0 : code === corruptedInforom;
    },
    fabric: (value, returns) =>
      isOlder(symbolOf.fabric, returns) &&
      isDeepStrictEqual(value, { ...(expected.fabric as Fabric), faults: null }),
    memory: (value, returns) => {
      const { usedBytes, reservedBytes, ...rest } = expected.memory as Memory;
      const older = { ...rest, usedBytes: usedBytes + (reservedBytes ?? 0), reservedBytes: null };
      return isOlder(symbolOf.memory, returns) && isDeepStrictEqual(value, older);
    },
    // What its links do not tell is looked at by itself.
    nvlinks: () => true,
  };

/** As a driver that does not know the call, or not in this version: it is asked by an older one. */
function isOlder(symbol: string, returns: Returns): boolean {
  return missingForCode(returns.get(symbol) ?? 0) === 'notSupportedByDriver';
}

/** A value that is there is the driver's own: nothing is made up for one that failed. */
function madeUp(readings: GpuReadings, returns: Returns): string[] {
  return readingNames.filter((name) => {
    const reading = readings[name];
    if ('missing' in reading || isDeepStrictEqual(reading.value, expected[name])) return false;
    return !rightBesides[name]?.(reading.value, returns);
  });
}

/** What an active link does not tell has a reason. */
function linksMadeUp({ nvlinks }: GpuReadings): string[] {
  if ('missing' in nvlinks) return [];
  const names = ['active', 'version', 'speedMegabytesPerSecond', 'remoteType', 'remotePciAddress'] as const;
  return nvlinks.value.flatMap((link, at) => {
    const right = (expected.nvlinks as readonly NvLink[])[at];
    const wrong = names.filter((name) =>
      link[name] === null ? link.active && !(name in link.missing) : link[name] !== right?.[name],
    );
    const counters =
      isDeepStrictEqual(link.errors, right?.errors) || !link.active || 'errors' in link.missing;
    return [...wrong, ...(counters ? [] : ['errors'])].map((name) => `${at} ${name}`);
  });
}

test.for([1, 2, 3, 4])('any combination of return codes yields a valid answer, round %i', (seed) => {
  const next = random(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const { driver, write } = openedNvml(told);
  for (let round = 0; round < 100; round++) {
    const among = round % 4 === 0 ? [...codes, ...lost] : codes;
    const failing = symbols.filter(() => next() < 0.4);
    const returns = new Map(failing.map((symbol) => [symbol, pick(among)]));
    write({ gpus: [told], returns: [...returns].map(([symbol, code]) => ({ symbol, code })) });
    driver.open(); // forgets what was said for good

    const readings = driver.read(0);

    expect(Object.keys(readings)).toEqual([...readingNames]);
    expect(madeUp(readings, returns)).toEqual([]);
    expect(linksMadeUp(readings)).toEqual([]);
    const state = { index: 0, readings, readAtMs: 0, slowReadAtMs: 0, rates: null, trouble: null };
    const [inventory, metrics] = [inventoryRow.of(state, 1000), metricsRow.of(state, 1000)];
    expect(inventoryRow.schema.parse(inventory)).toEqual(inventory);
    expect(metricsRow.schema.parse(metrics)).toEqual(metrics);
    const answers = tools.map((tool) => ask(tool, { a: snapshot([state]) }, { detail: 'full' }).text);
    for (const text of [gpuText(inventory), metricsText(metrics), ...answers])
      expect(text).not.toMatch(/undefined|null|NaN|Infinity|\[object/);
  }
});
