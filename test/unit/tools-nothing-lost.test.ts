import { describe, expect, test } from 'vitest';

import { health } from '../../src/tools/health.ts';
import { inventory } from '../../src/tools/inventory.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { allRows, answersOf, ask, type FleetSnapshots, random } from '../support/answers.ts';
import { driverOk, type Given, gpu, nowMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const seeds = Array.from({ length: 40 }, (_, at) => at + 1);

interface Row {
  readonly kind: string;
  readonly node?: string;
  readonly nodes?: readonly string[];
  readonly gpu?: { readonly index: number; readonly verdict?: string };
  readonly gpusPerNode?: number;
  readonly gpus?: readonly { readonly count: number }[];
}

describe.for(seeds)('a fleet made by chance (%i)', (seed) => {
  const fleet = randomFleet(seed);
  const total = Object.values(fleet).reduce((sum, { gpus }) => sum + gpus.length, 0);

  test.for(['summary', 'full'])('every GPU is in exactly one row of the inventory (%s)', (detail) => {
    const { structured } = ask(inventory, fleet, { detail });

    const inRows = rowsOf(inventory, fleet, detail).reduce((sum, row) => sum + gpusIn(row), 0);
    const byModel = (structured['models'] as { count: number }[]).reduce((sum, { count }) => sum + count, 0);
    expect([structured['gpus'], inRows, byModel]).toEqual([total, total, total]);
  });

  test.for(['summary', 'full'])(
    'every GPU has exactly one verdict, and is in exactly one row (%s)',
    (detail) => {
      const { structured } = ask(health, fleet, { detail, limit: 1000 });

      const inRows = rowsOf(health, fleet, detail).reduce((sum, row) => sum + gpusIn(row), 0);
      const verdicts = Object.values(structured['verdicts'] as Record<string, number>);
      expect([structured['gpus'], inRows, verdicts.reduce((a, b) => a + b, 0)]).toEqual([
        total,
        total,
        total,
      ]);
    },
  );

  test.for([inventory, health])('every node is in some row of $name', (tool) => {
    for (const detail of ['summary', 'full']) {
      const rows = rowsOf(tool, fleet, detail);

      const named = new Set(rows.flatMap(({ node, nodes = [] }) => [...nodes, ...(node ? [node] : [])]));
      expect([...named].sort()).toEqual(Object.keys(fleet).sort());
    }
  });

  test('a GPU in trouble is never ok', () => {
    const ok = rowsOf(health, fleet, 'full').filter((row) => row.gpu?.verdict === 'ok');
    for (const { node = '', gpu: one } of ok) {
      const state = fleet[node]?.gpus.find(({ index }) => index === one?.index);
      expect(state?.trouble).toBeNull();
      expect(state?.readAtMs).not.toBeNull();
    }
  });
});

test.for([inventory, health])('$name notices when the data of two nodes is swapped', (tool) => {
  const fleet = {
    a: snapshot([gpu(0, {}, { node: 1 })]),
    b: snapshot([gpu(0, { temperatureC: 91 }, { node: 2 })]),
  };
  const swapped = { a: fleet.b, b: fleet.a };

  for (const detail of ['summary', 'full']) {
    const rows = (each: FleetSnapshots) => rowsOf(tool, each, detail);
    const named = tool === inventory && detail === 'summary';
    if (!named) expect(rows(swapped)).not.toEqual(rows(fleet));
  }
  expect(answersOf(tool, fleet)).toMatchObject([
    { node: 'a', value: { gpus: [{ uuid: 'GPU-00000001-0000-0000-0000-000000000000' }] } },
    { node: 'b', value: { gpus: [{ uuid: 'GPU-00000002-0000-0000-0000-000000000000' }] } },
  ]);
});

function rowsOf(tool: Tool, fleet: FleetSnapshots, detail: string): Row[] {
  return allRows(tool, fleet, { detail }) as Row[];
}

function gpusIn({ kind, nodes = [], gpusPerNode = 0, gpus = [] }: Row): number {
  if (kind === 'equalNodes') return nodes.length * gpus.reduce((sum, { count }) => sum + count, 0);
  if (kind === 'okNodes') return nodes.length * gpusPerNode;
  return kind === 'gpu' || kind === 'troubledGpu' ? 1 : 0;
}

/** Up to 12 nodes of up to 6 GPUs, of two kinds, some of them in every sort of trouble. */
function randomFleet(seed: number): FleetSnapshots {
  const next = random(seed);
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(next() * choices.length)] as T;
  const given: readonly Given[] = [
    {},
    {},
    {},
    { name: 'Tesla T4', remappedRows: { missing: 'notSupported' }, retiredPagesPending: false },
    { temperatureC: 91 },
    { recoveryAction: { missing: 'notSupportedByDriver' } },
    { memory: { missing: 'nvmlReturn999' } },
  ];
  const drivers = [
    driverOk,
    driverOk,
    driverOk,
    { state: 'notResponding', info: null, sinceMs: nowMs - 1000 },
    { state: 'unavailable', code: 'DRIVER_NOT_LOADED', message: 'm', hint: 'h', sinceMs: nowMs - 1000 },
  ] as const;
  const made = (index: number, node: number) => {
    if (next() < 0.05)
      return unreadableGpu(index, one(['noPermission', 'nvmlReturn999', 'driverUnavailable'] as const));
    const trouble = next() < 0.2 ? one(['lost', 'hung', 'vanished'] as const) : undefined;
    return gpu(index, one(given), { node, ...(trouble && { trouble }) });
  };
  return Object.fromEntries(
    Array.from({ length: 1 + Math.floor(next() * 12) }, (_, node) => [
      `gpu-${node}`,
      snapshot(
        Array.from({ length: Math.floor(next() * 7) }, (_, index) => made(index, node)),
        one(drivers),
      ),
    ]),
  );
}
