import { z } from 'zod';

import { foldNames } from '../core/names.ts';
import { count, duration } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { answerOf, driverText, selectGpus, simulatedText } from './node-answer.ts';
import { hasEnded } from './process-row.ts';
import { holderText, processText } from './process-text.ts';
import { gpuProcessesOf, gpuProcessesText } from './processes-gpu.ts';
import {
  heaviestFirst,
  idleRows,
  type NodeProcessesAnswer,
  notOfferedRows,
  notToldRows,
  output,
  type Row,
  row,
  stuckRows,
  unusedRows,
  usedRows,
} from './processes-rows.ts';
import { type Answer, defineTool } from './tool.ts';

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
        return stuckText(row);
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

function stuckText({ node, gpuName, process, wallMs }: Extract<Row, { kind: 'stuckProcess' }>): string {
  const what = `${node} GPU ${gpuName}: ${processText(process, wallMs)}`;
  if (hasEnded(process)) return `zombie: ${what}`;
  return `stuck: ${what}. It may hold the GPU: reboot the node if that does not end`;
}

function pidsOf({ node, value }: Answer<NodeProcessesAnswer>): string[] {
  // A driver that cannot translate pids gives 0 for each of several processes.
  const keyOf = (pid: number, gpu: number, at: number) => (pid === 0 ? `0 ${gpu} ${at}` : pid);
  return value.gpus.flatMap(({ index, processes: list }) =>
    (list ?? []).map(({ pid }, at) => `${node} ${keyOf(pid, index, at)}`),
  );
}
