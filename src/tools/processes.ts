import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { count, duration } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { gpuNames } from './gpu-names.ts';
import { answerOf, driverAnswer, driverText, nodeAnswer, selectGpus, simulatedText } from './node-answer.ts';
import { holder, holderText, isIdle, isStuck, processRow, processText } from './process-row.ts';
import {
  type GpuProcessesRow,
  gpuProcesses,
  gpuProcessesOf,
  gpuProcessesText,
  unexplainedOf,
} from './processes-gpu.ts';
import { type Answer, defineTool } from './tool.ts';

const output = z.object({
  ...nodeAnswer,
  podResources: z.object({ readable: z.boolean(), reason: z.string().nullable() }),
  gpus: z.array(gpuProcesses),
});
type NodeProcessesAnswer = z.output<typeof output>;

const row = z.union([
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
type Row = z.output<typeof row>;

export const processes = defineTool({
  name: 'get_gpu_processes',
  title: 'GPU processes',
  description:
    'Who uses which GPU. Each process with its program, memory, utilisation, container and pod; heaviest first. Processes that ' +
    'cannot be ended and hold a GPU, GPUs that a pod holds and does not use, and memory that no listed process explains. Only the ' +
    "program's name is read, never its arguments or environment.",
  input: z.strictObject(commonArguments),
  output,
  head: z.object({
    nodes: z.int(),
    gpus: z.int(),
    processes: z.int(),
    simulatedNodes: z.array(z.string()),
    oldestAnswerMs: z.number().nullable(),
  }),
  row,
  inquires: () => 'processes',

  answer({ gpu }, node) {
    const gpus = selectGpus(node.snapshot, gpu).map((each) => gpuProcessesOf(each, node, gpu));
    return { ...answerOf(node), podResources: { ...node.processes.podResources }, gpus };
  },

  merge(_, answers) {
    const gpus = answers.flatMap(({ value }) => value.gpus);
    const ages = gpus.flatMap(({ ageMs }) => ageMs ?? []);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        processes: new Set(answers.flatMap(pidsOf)).size,
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestAnswerMs: ages.length > 0 ? Math.max(...ages) : null,
      },
      rows: [
        ...answers
          .filter(({ value }) => value.driver.problem)
          .map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...answers.flatMap(stuckRows),
        ...answers.flatMap(usedRows).sort(heaviestFirst),
        ...answers.flatMap(idleRows),
        ...answers.flatMap(notOfferedRows),
        ...unusedRows(answers),
        ...notToldRows(answers),
      ],
      gpuCount: gpus.length,
    };
  },

  headText({ nodes, gpus, processes: number, simulatedNodes, oldestAnswerMs }) {
    const age = oldestAnswerMs === null ? '' : ` Asked at most ${duration(oldestAnswerMs)} ago.`;
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${number} ${number === 1 ? 'process' : 'processes'} on ${count(gpus, 'GPU')} of ${count(nodes, 'node')}.${age}`,
    ];
  },

  rowText(row) {
    switch (row.kind) {
      case 'driverProblem':
        return `${row.node}: ${driverText(row.driver)}`;
      case 'stuckProcess':
        return `stuck: ${row.node} GPU ${row.gpuName}: ${processText(row.process, row.wallMs)}. It may hold the GPU: reboot the node if that does not end`;
      case 'gpu':
        return gpuProcessesText(row);
      case 'idleAllocation':
        return `held and unused: ${row.node} GPU ${row.gpuNames.join(', ')}: ${row.holders.map(holderText).join(', ')}`;
      case 'notOffered':
        return `not offered to pods: ${row.node} GPU ${row.gpuNames.join(', ')}: the device plugin holds it for unhealthy, leaves it out, or is gone`;
      case 'unused':
        return `no process: ${foldNames(row.nodes)}: ${count(row.gpus, 'GPU')}`;
      case 'notTold':
        return `${foldNames(row.nodes)}: ${row.reason}`;
    }
  },
});

function pidsOf({ node, value }: Answer<NodeProcessesAnswer>): string[] {
  // A driver that cannot translate pids gives 0 for each of several processes.
  const keyOf = (pid: number, gpu: number, at: number) => (pid === 0 ? `0 ${gpu} ${at}` : pid);
  return value.gpus.flatMap(({ index, processes: list }) =>
    (list ?? []).map(({ pid }, at) => `${node} ${keyOf(pid, index, at)}`),
  );
}

/** Wall clock of the node; an agent that does not tell it is of this minute. */
function wallMsOf({ value }: Answer<NodeProcessesAnswer>): number {
  return value.clock ? Date.parse(value.clock.wallTime) : Date.now();
}

function stuckRows(answer: Answer<NodeProcessesAnswer>): Row[] {
  const { node, value } = answer;
  const wallMs = wallMsOf(answer);
  const nameOf = gpuNames(value.gpus);
  return value.gpus.flatMap((gpu) => {
    const found = [...(gpu.processes ?? []), ...gpu.stuck].filter(isStuck);
    const of = { kind: 'stuckProcess' as const, node, gpu: gpu.index, gpuName: nameOf(gpu), wallMs };
    return found.map((process): Row => ({ ...of, process }));
  });
}

type UsedRow = Extract<Row, { kind: 'gpu' }>;

/** GPUs with processes, and those of which that cannot be told, or not as of now. */
function usedRows(answer: Answer<NodeProcessesAnswer>): UsedRow[] {
  const { node, value } = answer;
  const told = value.gpus.filter(
    ({ processes: list, trouble }) => list === null || list.length > 0 || trouble,
  );
  const odd = value.gpus.filter((gpu) => !told.includes(gpu) && unexplainedOf(gpu) !== null);
  const nameOf = gpuNames(value.gpus);
  const wallMs = wallMsOf(answer);
  return [...told, ...odd].map((gpu) => ({ kind: 'gpu', node, gpu, gpuName: nameOf(gpu), wallMs }));
}

function heaviestFirst(a: UsedRow, b: UsedRow): number {
  const held = ({ gpu }: UsedRow) => gpu.memoryUsedBytes ?? 0;
  return held(b) - held(a) || byName(a.node, b.node) || a.gpu.index - b.gpu.index;
}

/** GPUs, and parts of them, that a container was given and on which nothing runs: of one pod in one line. */
function idleRows({ node, value }: Answer<NodeProcessesAnswer>): Row[] {
  const byHolders = new Map<string, { gpus: GpuProcessesRow[]; holders: z.output<typeof holder>[] }>();
  for (const gpu of value.gpus) {
    const { processes: list, holders } = gpu;
    const idle = list === null || !isSure(gpu) ? [] : holders.filter((each) => isIdle(each, list));
    if (idle.length === 0) continue;
    const key = JSON.stringify(idle);
    const group = byHolders.get(key) ?? { gpus: [], holders: idle };
    byHolders.set(key, { ...group, gpus: [...group.gpus, gpu] });
  }
  return [...byHolders.values()].map(
    ({ gpus, holders }): Row => ({ kind: 'idleAllocation', node, ...namedOf(gpus, value.gpus), holders }),
  );
}

function notOfferedRows({ node, value }: Answer<NodeProcessesAnswer>): Row[] {
  const gpus = value.gpus.filter(({ offered }) => offered === false);
  return gpus.length > 0 ? [{ kind: 'notOffered', node, ...namedOf(gpus, value.gpus) }] : [];
}

function namedOf(gpus: readonly GpuProcessesRow[], all: readonly GpuProcessesRow[]) {
  return { gpus: gpus.map(({ index }) => index), gpuNames: gpus.map(gpuNames(all)) };
}

/** Whether who is not listed is not there: a GPU in trouble lists what was, and memory that none explains is somebody's. */
function isSure(gpu: GpuProcessesRow): boolean {
  return !gpu.trouble && unexplainedOf(gpu) === null;
}

function unusedRows(answers: readonly Answer<NodeProcessesAnswer>[]): Row[] {
  const isUnused = (gpu: GpuProcessesRow) =>
    gpu.processes?.length === 0 && gpu.holders.length === 0 && isSure(gpu);
  const nodes = answers.filter(({ value }) => value.gpus.some(isUnused));
  const gpus = nodes.reduce((sum, { value }) => sum + value.gpus.filter(isUnused).length, 0);
  return gpus > 0 ? [{ kind: 'unused', nodes: nodes.map(({ node }) => node), gpus }] : [];
}

const outside =
  "the driver's pids are not those of the agent's /proc: it runs outside of the node's PID namespace, so programs and containers cannot be told (chart value hostPID.enabled)";

function notToldRows(answers: readonly Answer<NodeProcessesAnswer>[]): Row[] {
  const byReason = new Map<string, string[]>();
  // Of a node without the GPU in question there is nothing to tell: that nobody has it must come out.
  for (const { node, value } of answers.filter(({ value }) => value.gpus.length > 0)) {
    const all = value.gpus.flatMap(({ processes: list }) => list ?? []);
    const { readable, reason } = value.podResources;
    const reasons = [
      ...(all.length > 0 && all.every(({ missing }) => missing['comm'] === 'noData') ? [outside] : []),
      ...(readable
        ? []
        : [`the kubelet does not tell which pod was given which GPU: ${reason ?? 'unknown'}`]),
    ];
    for (const each of reasons) byReason.set(each, [...(byReason.get(each) ?? []), node]);
  }
  return [...byReason].map(([reason, nodes]): Row => ({ kind: 'notTold', nodes, reason }));
}
