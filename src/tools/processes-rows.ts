import { z } from 'zod';

import { byName } from '../core/names.ts';
import { duration } from '../core/words.ts';
import { gpuNames } from './gpu-names.ts';
import { driverAnswer, nodeAnswer } from './node-answer.ts';
import { hasEnded, holder, holdsNothing, isIdle, isOfPart, isStuck, processRow } from './process-row.ts';
import { type GpuProcessesRow, gpuProcesses, isOldList, unexplainedOf } from './processes-gpu.ts';
import type { Answer } from './tool.ts';

export const output = z.object({
  ...nodeAnswer,
  podResources: z.object({
    readable: z.boolean(),
    reason: z.string().nullable(),
    ageMs: z.number().nullish().describe('how long ago the kubelet was asked who was given what'),
  }),
  gpus: z.array(gpuProcesses),
});
export type NodeProcessesAnswer = z.output<typeof output>;

export const row = z.union([
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({
    kind: z.literal('stuckProcess'),
    node: z.string(),
    gpu: z.int(),
    gpuName: z.string(),
    process: processRow,
    wallMs: z.number(),
  }),
  z.object({
    kind: z.literal('gpu'),
    node: z.string(),
    gpu: gpuProcesses,
    gpuName: z.string(),
    wallMs: z.number(),
  }),
  z.object({
    kind: z.literal('idleAllocation'),
    node: z.string(),
    gpus: z.array(z.int()),
    gpuNames: z.array(z.string()),
    holders: z.array(holder),
  }),
  z.object({
    kind: z.literal('notOffered'),
    node: z.string(),
    gpus: z.array(z.int()),
    gpuNames: z.array(z.string()),
  }),
  z.object({ kind: z.literal('unused'), nodes: z.array(z.string()), gpus: z.int() }),
  z.object({ kind: z.literal('notTold'), nodes: z.array(z.string()), reason: z.string() }),
]);
export type Row = z.output<typeof row>;

/** Wall clock of the node; an agent that does not tell it is of this minute. */
function wallMsOf({ value }: Answer<NodeProcessesAnswer>): number {
  return value.clock ? Date.parse(value.clock.wallTime) : Date.now();
}

export function stuckRows(answer: Answer<NodeProcessesAnswer>): Row[] {
  const { node, value } = answer;
  const wallMs = wallMsOf(answer);
  const nameOf = gpuNames(value.gpus);
  return value.gpus.flatMap((gpu) => {
    const found = [...(gpu.processes ?? []), ...gpu.stuck].filter(
      (process) => isStuck(process) || hasEnded(process),
    );
    const of = { kind: 'stuckProcess' as const, node, gpu: gpu.index, gpuName: nameOf(gpu), wallMs };
    return found.map((process): Row => ({ ...of, process }));
  });
}

type UsedRow = Extract<Row, { kind: 'gpu' }>;

/** GPUs with processes, and those of which that cannot be told, or not as of now: their list is old, or they are in trouble. */
export function usedRows(answer: Answer<NodeProcessesAnswer>): UsedRow[] {
  const { node, value } = answer;
  const told = value.gpus.filter(
    (gpu) =>
      gpu.processes === null || gpu.processes.length > 0 || gpu.trouble || gpu.migDevice || isOldList(gpu),
  );
  const odd = value.gpus.filter((gpu) => !told.includes(gpu) && unexplainedOf(gpu) !== null);
  const nameOf = gpuNames(value.gpus);
  const wallMs = wallMsOf(answer);
  return [...told, ...odd].map((gpu) => ({ kind: 'gpu', node, gpu, gpuName: nameOf(gpu), wallMs }));
}

export function heaviestFirst(a: UsedRow, b: UsedRow): number {
  const held = ({ gpu }: UsedRow) => gpu.memoryUsedBytes ?? 0;
  return held(b) - held(a) || byName(a.node, b.node) || a.gpu.index - b.gpu.index;
}

/** GPUs, and parts of them, that a container was given and on which nothing runs: of one pod in one line. */
export function idleRows({ node, value }: Answer<NodeProcessesAnswer>): Row[] {
  const byHolders = new Map<string, { gpus: GpuProcessesRow[]; holders: z.output<typeof holder>[] }>();
  for (const gpu of value.gpus) {
    const list = presentIn(gpu);
    const idle = list === null || !isSure(gpu) ? [] : holdersOf(gpu).filter((each) => isIdle(each, list));
    if (idle.length === 0) continue;
    const key = JSON.stringify(idle);
    const group = byHolders.get(key) ?? { gpus: [], holders: idle };
    byHolders.set(key, { ...group, gpus: [...group.gpus, gpu] });
  }
  return [...byHolders.values()].map(
    ({ gpus, holders }): Row => ({ kind: 'idleAllocation', node, ...namedOf(gpus, value.gpus), holders }),
  );
}

/** Of a MIG device those that were given just it: who has all of the GPU may use another part. */
function holdersOf({ holders, migDevice }: GpuProcessesRow): z.output<typeof holder>[] {
  return migDevice ? holders.filter(({ part }) => part && isOfPart(part, migDevice)) : holders;
}

/** What has ended and left the driver's list is merely not collected yet. */
function presentIn({ processes: list }: GpuProcessesRow): GpuProcessesRow['processes'] {
  return list?.filter((process) => !holdsNothing(process)) ?? null;
}

export function notOfferedRows({ node, value }: Answer<NodeProcessesAnswer>): Row[] {
  const gpus = value.gpus.filter(({ offered }) => offered === false);
  return gpus.length > 0 ? [{ kind: 'notOffered', node, ...namedOf(gpus, value.gpus) }] : [];
}

function namedOf(gpus: readonly GpuProcessesRow[], all: readonly GpuProcessesRow[]) {
  return { gpus: gpus.map(({ index }) => index), gpuNames: gpus.map(gpuNames(all)) };
}

/** Whether who is not listed is not there: an old list tells what was, and memory that none explains is somebody's. */
function isSure(gpu: GpuProcessesRow): boolean {
  return !gpu.trouble && !isOldList(gpu) && unexplainedOf(gpu) === null;
}

export function unusedRows(answers: readonly Answer<NodeProcessesAnswer>[]): Row[] {
  const isUnused = (gpu: GpuProcessesRow) =>
    presentIn(gpu)?.length === 0 && gpu.holders.length === 0 && !gpu.migDevice && isSure(gpu);
  const nodes = answers.filter(({ value }) => value.gpus.some(isUnused));
  const gpus = nodes.reduce((sum, { value }) => sum + value.gpus.filter(isUnused).length, 0);
  return gpus > 0 ? [{ kind: 'unused', nodes: nodes.map(({ node }) => node), gpus }] : [];
}

/** It is asked with each question: only one that did not answer in time has told its last so long ago. */
const oldGivenMs = 10_000;

const outside =
  "the driver's pids are not those of the agent's /proc: it runs outside of the node's PID namespace, so programs and containers cannot be told (chart value hostPID.enabled)";

export function notToldRows(answers: readonly Answer<NodeProcessesAnswer>[]): Row[] {
  const byReason = new Map<string, string[]>();
  // Of a node without the GPU in question there is nothing to tell: that nobody has it must come out.
  for (const { node, value } of answers.filter(({ value }) => value.gpus.length > 0))
    for (const each of [...untoldByKernel(value), ...untoldByKubelet(value)])
      byReason.set(each, [...(byReason.get(each) ?? []), node]);
  return [...byReason].map(([reason, nodes]): Row => ({ kind: 'notTold', nodes, reason }));
}

function untoldByKernel({ gpus }: NodeProcessesAnswer): string[] {
  const all = gpus.flatMap(({ processes: list }) => list ?? []);
  return all.length > 0 && all.every(({ missing }) => missing['comm'] === 'noData') ? [outside] : [];
}

function untoldByKubelet({ podResources: { readable, reason, ageMs } }: NodeProcessesAnswer): string[] {
  if (!readable) return [`the kubelet does not tell which pod was given which GPU: ${reason ?? 'unknown'}`];
  const isOld = ageMs != null && ageMs > oldGivenMs;
  return isOld ? [`which pod was given which GPU is as the kubelet told it ${duration(ageMs)} ago`] : [];
}
