import { z } from 'zod';

import type { MigDevice } from '../core/mode-readings.ts';
import type { GpuProcess, GpuProcesses, NodeProcesses } from '../core/process.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { duration, gibibytes } from '../core/words.ts';
import { troubleOf, troubleShape } from './gpu-row.ts';
import { troubleText } from './gpu-text.ts';
import {
  contested,
  holder,
  holdsNothing,
  instancesOf,
  isOfPart,
  type ProcessRow,
  processRow,
  processRowOf,
} from './process-row.ts';
import { holderText, processText } from './process-text.ts';
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
    .describe(
      'where the driver lists none: those that it listed before and that have not ended, or are not collected',
    ),
  missing: z.string().nullable(),
  memoryUsedBytes: z.number().nullable(),
  holders: z.array(holder),
  /** Absent of a whole GPU. */
  migDevice: z
    .object({ gpuInstanceId: z.number().nullable(), computeInstanceId: z.number().nullable() })
    .optional()
    .describe('the one MIG device on it that was asked for'),
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

/** @param asked by the UUID of a MIG device that one is told alone, as a device of its own */
export function gpuProcessesOf(
  gpu: GpuState,
  node: NodeContext,
  asked: string | number | undefined,
): GpuProcessesRow {
  const uuid = String(asked).toLowerCase();
  const part = migDevicesOf(gpu).find((one) => orNull(one.uuid)?.toLowerCase() === uuid);
  const whole = wholeOf(gpu, node);
  return part ? partOf(whole, part) : whole;
}

function migDevicesOf({ readings }: GpuState): readonly MigDevice[] {
  return orNull(readings.migDevices) ?? [];
}

/** What is on one MIG device, and who was given it, or the whole GPU. */
function partOf(whole: GpuProcessesRow, part: MigDevice): GpuProcessesRow {
  const instances = instancesOf(part);
  const isOfIt = (process: ProcessRow) => isOfPart(process, instances);
  return {
    ...whole,
    migDevice: instances,
    name: orNull(part.name),
    uuid: orNull(part.uuid),
    processes: whole.processes?.filter(isOfIt) ?? null,
    stuck: whole.stuck.filter(isOfIt),
    memoryUsedBytes: orNull(part.memory)?.usedBytes ?? null,
    holders: whole.holders.filter(
      ({ part: given }) => !given || given.gpuInstanceId === null || isOfPart(given, instances),
    ),
  };
}

function wholeOf(gpu: GpuState, { snapshot, nowMs, processes: node }: NodeContext): GpuProcessesRow {
  const { index, readings } = gpu;
  const known: Known = node.gpus[snapshot.gpus.indexOf(gpu)] ?? nothingKnown;
  const { readAtMs, processes: list, stuck, holders, offered } = known;
  const rowOf = (process: GpuProcess) => processRowOf(process, migDevicesOf(gpu));
  return {
    index,
    name: orNull(readings.name),
    uuid: orNull(readings.uuid),
    pciAddress: orNull(readings.pciAddress),
    ageMs: readAtMs === null ? null : Math.round(nowMs - readAtMs),
    trouble: troubleOf(gpu, nowMs),
    processes: 'value' in list ? contested(list.value.map(rowOf), pidsOfSeveral(node)) : null,
    stuck: contested(stuck.map(rowOf), pidsOfSeveral(node)),
    missing: 'missing' in list ? list.missing : null,
    memoryUsedBytes: orNull(readings.memory)?.usedBytes ?? null,
    holders: holders.map((each) => ({ ...each })),
    offered,
  };
}

/** The processes that use what was given to different containers: a process is in one. Pid 0 is that of none in particular. */
function pidsOfSeveral({ gpus }: NodeProcesses): ReadonlySet<number> {
  const givenTo = new Map<number, string>();
  const several = new Set<number>();
  for (const { pid, holders } of gpus.flatMap(({ processes: list, stuck }) => orNull(list) ?? stuck)) {
    const [holder, ...others] = holders;
    if (pid === 0 || !holder || others.length > 0) continue;
    const name = `${holder.namespace}/${holder.pod}/${holder.container}`;
    if ((givenTo.get(pid) ?? name) !== name) several.add(pid);
    givenTo.set(pid, name);
  }
  return several;
}

/** Less is what the driver itself, a display server or the contexts of processes take. */
const noticedBytes = 2 ** 30;

/** Memory that no listed process holds; null where that is little or cannot be told. */
export function unexplainedOf({ memoryUsedBytes, processes: list }: GpuProcessesRow): number | null {
  const holding = list?.filter((process) => !holdsNothing(process));
  if (memoryUsedBytes === null || !holding || holding.some(({ usedBytes }) => usedBytes === null))
    return null;
  const explained = holding.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
  return memoryUsedBytes - explained > noticedBytes ? memoryUsedBytes - explained : null;
}

/** The driver is asked with each question: a list that is older is of one that did not answer in time. */
const oldListMs = 10_000;

export function isOldList({ ageMs }: GpuProcessesRow): boolean {
  return ageMs === null || ageMs > oldListMs;
}

/** The processes of a GPU, heaviest first. */
export function gpuProcessesText({
  node,
  gpu,
  gpuName,
  wallMs,
}: {
  readonly node: string;
  readonly gpu: GpuProcessesRow;
  readonly gpuName: string;
  readonly wallMs: number;
}): string {
  const { name, processes: list, missing, memoryUsedBytes, holders } = gpu;
  const used = memoryUsedBytes === null ? '' : `, ${gibibytes(memoryUsedBytes)} used`;
  const trouble = gpu.trouble ? `${troubleText({ trouble: gpu.trouble })}: ` : '';
  const what = `${node} GPU ${gpuName} (${name ?? 'unknown model'}${used}): ${trouble}`;
  if (list === null) return `${what}which processes it has cannot be told (${whyText(missing)})`;
  const rest = unexplainedOf(gpu);
  const texts = [
    ...heaviest(list)
      .slice(0, namedAtMost)
      .map((process) => processText(process, wallMs)),
    ...othersText(heaviest(list).slice(namedAtMost)),
    ...(rest === null ? [] : [`${gibibytes(rest)} held by no process that is listed`]),
  ];
  const given =
    list.length > 0 || holders.length === 0 ? '' : `; given to ${holders.map(holderText).join(', ')}`;
  return `${what}${asOfText(gpu)}${texts.join('; ') || 'no process'}${given}`;
}

/** '' for a list of now. */
function asOfText(gpu: GpuProcessesRow): string {
  const isOfNow = !gpu.trouble && !isOldList(gpu);
  return isOfNow || gpu.ageMs === null ? '' : `as of ${duration(gpu.ageMs)} ago: `;
}

/** More fill an answer; structured answers have all. */
const namedAtMost = 20;

function othersText(others: readonly ProcessRow[]): string[] {
  const bytes = others.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
  return others.length > 0 ? [`${others.length} more, which hold ${gibibytes(bytes)}`] : [];
}

function whyText(missing: string | null): string | null {
  return missing === 'notReady' ? 'notReady: the driver has not answered' : missing;
}

function heaviest(list: readonly ProcessRow[]): ProcessRow[] {
  return [...list].sort((a, b) => (b.usedBytes ?? 0) - (a.usedBytes ?? 0));
}
