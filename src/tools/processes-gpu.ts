import { z } from 'zod';

import type { GpuProcesses } from '../core/process.ts';
import { orNull } from '../core/reading.ts';
import { holder, processRow, processRowOf } from './process-row.ts';
import type { NodeContext } from './tool.ts';

/** What runs on one GPU, and who was given it. */
export const gpuProcesses = z.object({
  index: z.int(),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  pciAddress: z.string().nullable(),
  ageMs: z.number().nullable(),
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
  index: number,
  { snapshot, nowMs, processes: node }: NodeContext,
): GpuProcessesRow {
  const gpu = snapshot.gpus.find((each) => each.index === index);
  const known: Known = node.gpus.find((each) => each.index === index) ?? nothingKnown;
  const { readAtMs, processes: list, stuck, holders, offered } = known;
  return {
    index,
    name: gpu ? orNull(gpu.readings.name) : null,
    uuid: gpu ? orNull(gpu.readings.uuid) : null,
    pciAddress: gpu ? orNull(gpu.readings.pciAddress) : null,
    ageMs: readAtMs === null ? null : Math.round(nowMs - readAtMs),
    processes: 'value' in list ? list.value.map(processRowOf) : null,
    stuck: stuck.map(processRowOf),
    missing: 'missing' in list ? list.missing : null,
    memoryUsedBytes: gpu ? (orNull(gpu.readings.memory)?.usedBytes ?? null) : null,
    holders: holders.map((each) => ({ ...each })),
    offered,
  };
}
