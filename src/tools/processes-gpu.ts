import { z } from 'zod';

import type { GpuProcesses } from '../core/process.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { troubleOf, troubleShape } from './gpu-row.ts';
import { holder, processRow, processRowOf } from './process-row.ts';
import type { NodeContext } from './tool.ts';

/** What runs on one GPU, and who was given it. */
export const gpuProcesses = z.object({
  index: z.int(),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  pciAddress: z.string().nullable(),
  ageMs: z.number().nullable(),
  trouble: troubleShape.nullish(),
  /** Null: why stands in `missing`. */
  processes: z.array(processRow).nullable(),
  stuck: z
    .array(processRow)
    .default([])
    .describe('where the driver lists none: those that it listed before and that cannot end'),
  missing: z.string().nullable(),
  memoryUsedBytes: z.number().nullable(),
  holders: z.array(holder),
  offered: z.boolean().nullish().describe('whether the kubelet can give it to pods'),
});
export type GpuProcessesRow = z.output<typeof gpuProcesses>;

type Known = Omit<GpuProcesses, 'index'>;
const nothingKnown: Known = {
  readAtMs: null,
  processes: { missing: 'notReady' },
  stuck: [],
  holders: [],
  offered: null,
};

export function gpuProcessesOf(
  gpu: GpuState,
  { snapshot, nowMs, processes: node }: NodeContext,
): GpuProcessesRow {
  const { index, readings } = gpu;
  const known: Known = node.gpus[snapshot.gpus.indexOf(gpu)] ?? nothingKnown;
  const { readAtMs, processes: list, stuck, holders, offered } = known;
  return {
    index,
    name: orNull(readings.name),
    uuid: orNull(readings.uuid),
    pciAddress: orNull(readings.pciAddress),
    ageMs: readAtMs === null ? null : Math.round(nowMs - readAtMs),
    trouble: troubleOf(gpu, nowMs),
    processes: 'value' in list ? list.value.map(processRowOf) : null,
    stuck: stuck.map(processRowOf),
    missing: 'missing' in list ? list.missing : null,
    memoryUsedBytes: orNull(readings.memory)?.usedBytes ?? null,
    holders: holders.map((each) => ({ ...each })),
    offered,
  };
}
