import type { Scenario, ScenarioNode, TimelineEntry } from '../../../src/simulate/scenario.ts';

const models = ['H100', 'A100', 'B200', 'T4', 'GB200'] as const;

/** What is true of one node of the fleet below: a bridge that mixes two nodes up says something else. */
export interface Truth {
  readonly node: string;
  readonly gpuCount: number;
  readonly driverVersion: string;
  /** Of each GPU, by index. No two GPUs of the fleet are alike in it and in their power limit. */
  readonly temperaturesC: readonly number[];
  readonly powerLimitWatts: number;
}

export interface FleetScenario {
  readonly scenario: Scenario;
  readonly truths: readonly Truth[];
}

/** Nodes that differ in model, number of GPUs, driver, temperature and power limit. */
export function fleetScenario(names: readonly string[]): FleetScenario {
  const truths = names.map((node, at) => ({
    node,
    gpuCount: 1 + (at % 8),
    driverVersion: `580.${100 + at}.01`,
    temperaturesC: Array.from({ length: 1 + (at % 8) }, (_, gpu) => 30 + gpu),
    powerLimitWatts: 60 + at,
  }));
  const nodes = truths.map(
    ({ node, gpuCount, driverVersion }, at): ScenarioNode => ({
      name: node,
      driver: driverVersion,
      cuda: '13.0',
      gpus: Array(gpuCount).fill(models[at % models.length]),
    }),
  );
  const timeline = truths.flatMap(({ node, temperaturesC, powerLimitWatts }) =>
    temperaturesC.map(
      (temperatureC, gpu): TimelineEntry => ({
        atMs: 0,
        node,
        gpu,
        change: {
          kind: 'set',
          readings: { temperatureC: { value: temperatureC }, powerLimitWatts: { value: powerLimitWatts } },
        },
      }),
    ),
  );
  return { scenario: { nodes, timeline, kernelLog: [], kubernetes: [] }, truths };
}

/** What the bridge's structured inventory (detail=full) says, in the words of the truth. */
export function seenIn(structured: unknown): Truth[] {
  const { rows } = structured as { rows: readonly InventoryRow[] };
  const gpus = rows.filter(({ kind }) => kind === 'gpu');
  const nodes = [...new Set(gpus.map(({ node }) => node))];
  return nodes.map((node) => {
    const own = gpus.filter((row) => row.node === node);
    return {
      node,
      gpuCount: own.length,
      driverVersion: own[0]?.software.driverVersion ?? '',
      temperaturesC: own.map(({ gpu }) => gpu.temperatureC),
      powerLimitWatts: own[0]?.gpu.powerLimitWatts ?? Number.NaN,
    };
  });
}

interface InventoryRow {
  readonly kind: string;
  readonly node: string;
  readonly software: { readonly driverVersion: string };
  readonly gpu: { readonly temperatureC: number; readonly powerLimitWatts: number };
}
