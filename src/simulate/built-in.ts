import type { ModelName } from './models.ts';
import type { Scenario } from './scenario.ts';

const driver = '580.126.20';
const cuda = '13.0';

/** One healthy node with eight H100: what simulating shows when no scenario is given. */
export const defaultScenario: Scenario = {
  nodes: [{ name: 'gpu-node-1', driver, cuda, gpus: Array<ModelName>(8).fill('H100') }],
  timeline: [],
  kernelLog: [],
  kubernetes: [],
};

/**
 * A small fleet with one GPU that needs a reset: GPU 3 of gpu-node-2 has met uncorrectable memory errors since the
 * driver was loaded, waits for the remap of a row, and is slowed down by its own heat.
 */
export const demoScenario: Scenario = {
  nodes: [
    { name: 'gpu-node-1', driver, cuda, gpus: Array<ModelName>(8).fill('H100') },
    { name: 'gpu-node-2', driver, cuda, gpus: Array<ModelName>(8).fill('H100') },
    { name: 'gpu-node-3', driver, cuda, gpus: Array<ModelName>(8).fill('A100') },
    { name: 'gpu-node-4', driver, cuda, gpus: Array<ModelName>(4).fill('T4') },
  ],
  timeline: [
    {
      atMs: 0,
      node: 'gpu-node-2',
      gpu: 3,
      change: {
        kind: 'set',
        readings: {
          eccUncorrectedVolatile: { value: 4 },
          eccUncorrectedAggregate: { value: 4 },
          remappedRows: { value: { correctable: 0, uncorrectable: 1, pending: true, failed: false } },
          recoveryAction: { value: 'gpuReset' },
          temperatureC: { value: 91 },
          utilization: { value: { gpuPercent: 98, memoryPercent: 41 } },
          powerWatts: { value: 412.5 },
          clocksEventReasons: { value: ['hwSlowdown', 'hwThermalSlowdown'] },
          graphicsClockMhz: { value: 990 },
          smClockMhz: { value: 990 },
        },
      },
    },
  ],
  kernelLog: [],
  kubernetes: [],
};
