import { describe, expect, test } from 'vitest';
import type { GpuState } from '../../src/core/snapshot.ts';
import { health } from '../../src/tools/health.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { metrics } from '../../src/tools/metrics.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { allRows, answersOf, ask, type FleetSnapshots, random } from '../support/answers.ts';
import { driverOk, type Given, gpu, nowMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const seeds = Array.from({ length: 40 }, (_, at) => at + 1);

interface Row {
  readonly kind: string;
  readonly node?: string;
  readonly nodes?: readonly string[];
  readonly gpu?: { readonly index: number; readonly verdict?: string };
  readonly indexes?: readonly number[];
  readonly gpusPerNode?: number;
  readonly gpus?: number | readonly { readonly count: number }[];
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

  test('every GPU is in the line of its node, and in a line of its own where a sum leaves it out', () => {
    const rows = rowsOf(metrics, fleet, 'summary');

    const inNodes = rows.filter(({ kind }) => kind === 'node').map(({ gpus }) => Number(gpus));
    expect(inNodes.reduce((a, b) => a + b, 0)).toBe(total);
    const named = rows.flatMap(({ kind, node, gpu: one, nodes = [], indexes = [] }) =>
      kind === 'unread'
        ? nodes.flatMap((each) => indexes.map((index) => `${each} ${index}`))
        : kind === 'gpu'
          ? [`${node} ${one?.index}`]
          : [],
    );
    expect(new Set(named).size).toBe(named.length);
    expect(named).toEqual(expect.arrayContaining(leftOut(fleet)));
  });

  test('sums of metrics are of the GPUs that they say', () => {
    const { structured } = ask(metrics, fleet);

    const there = Object.values(fleet).flatMap(({ gpus }) =>
      gpus.filter((each) => !isLeftOut(each, 'powerWatts')),
    );
    const watts = there.flatMap(({ readings: { powerWatts } }) =>
      'value' in powerWatts ? powerWatts.value : [],
    );
    expect(structured).toMatchObject({ gpus: total, gpusCounted: { power: watts.length } });
    expect(structured['powerWatts'] ?? 0).toBeCloseTo(watts.reduce((a, b) => a + b, 0));
  });

  test('in full every GPU is in exactly one row of the metrics', () => {
    const inRows = rowsOf(metrics, fleet, 'full').filter(({ kind }) => kind === 'gpu');
    expect(inRows).toHaveLength(total);
  });

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

type Summed = 'utilization' | 'memory' | 'temperatureC' | 'powerWatts';

/** By a sum or mean of this reading. */
function isLeftOut({ trouble, readings }: GpuState, name: Summed): boolean {
  return trouble !== null || 'missing' in readings[name];
}

function leftOut(fleet: FleetSnapshots): string[] {
  const names = ['utilization', 'memory', 'temperatureC', 'powerWatts'] as const;
  return Object.entries(fleet).flatMap(([node, { gpus }]) =>
    gpus.filter((each) => names.some((name) => isLeftOut(each, name))).map(({ index }) => `${node} ${index}`),
  );
}

function rowsOf(tool: Tool, fleet: FleetSnapshots, detail: string): Row[] {
  return allRows(tool, fleet, { detail }) as Row[];
}

function gpusIn({ kind, nodes = [], gpusPerNode = 0, gpus = [] }: Row): number {
  if (typeof gpus === 'number') return 0;
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
    { powerWatts: { missing: 'nvmlReturn999' }, utilization: { missing: 'resetRequired' } },
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
