import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { count, duration } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { gpuNames } from './gpu-names.ts';
import {
  answerOf,
  driverAnswer,
  driverText,
  nodeAnswer,
  oldestOf,
  selectGpus,
  simulatedText,
} from './node-answer.ts';
import { type Answer, defineTool } from './tool.ts';
import { type Equals, equalsOf, troublesOfGpu } from './topology-equals.ts';
import { type GpuTopologyRow, gpuText, gpuTopology, linksOrNone, topologyOf } from './topology-gpu.ts';
import { matrixText, readableText, untoldWaysText } from './topology-matrix.ts';

const output = z.object({ ...nodeAnswer, gpus: z.array(gpuTopology) });
type NodeTopology = z.output<typeof output>;

const row = z.union([
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({
    kind: z.literal('trouble'),
    node: z.string(),
    index: z.int(),
    gpuName: z.string(),
    name: z.string().nullable(),
    text: z.string(),
  }),
  z.object({ kind: z.literal('gpu'), node: z.string(), gpu: gpuTopology }),
  z.object({ kind: z.literal('matrix'), node: z.string(), text: z.string() }),
  z.object({ kind: z.literal('equalNodes'), nodes: z.array(z.string()), text: z.string() }),
]);
type Row = z.output<typeof row>;

export const topology = defineTool({
  name: 'get_gpu_topology',
  title: 'GPU topology',
  description:
    'How GPUs are connected. NVLinks that are down, slower than their equals or count errors come first; GPUs that cannot reach ' +
    "each other's memory; then equal nodes in one line: links, versions, speeds, switches, NUMA. detail=full or gpu: every link's " +
    'state, the matrix of nvidia-smi topo -m, NUMA and CPU affinity.',
  input: z.strictObject(commonArguments),
  output,
  head: z.object({
    nodes: z.int(),
    gpus: z.int(),
    troubledGpus: z.int(),
    waysUnknownGpus: z.int().describe('of which not all ways to others are known'),
    simulatedNodes: z.array(z.string()),
    oldestReadingMs: z.number().nullable().describe('of the links'),
    oldestWaysMs: z
      .number()
      .nullable()
      .describe('of the ways to other GPUs, which are asked for with the answer'),
  }),
  row,
  inquires: () => 'peers',

  answer({ gpu }, node) {
    return {
      ...answerOf(node),
      gpus: selectGpus(node.snapshot, gpu).map((state) => topologyOf(state, node)),
    };
  },

  merge({ detail, gpu }, answers) {
    const full = detail === 'full' || gpu !== undefined;
    const gpus = answers.flatMap(({ value }) => value.gpus);
    const equals = equalsOf(answers.map(({ value }) => value.gpus));
    const troubles = answers.flatMap((answer) => troublesOf(answer, equals));
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        troubledGpus: new Set(troubles.map(({ node, index }) => `${node} ${index}`)).size,
        waysUnknownGpus: gpus.filter((each) => untoldWaysText(each) !== null).length,
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(gpus.map((each) => each.gpu.slowAgeMs)),
        oldestWaysMs: oldestOf(gpus.map(({ peersAgeMs }) => peersAgeMs ?? null)),
      },
      rows: [
        ...answers
          .filter(({ value }) => value.driver.problem)
          .map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...troubles,
        ...(full ? answers.flatMap(fullRows) : groups(answers)),
      ],
      gpuCount: gpus.length,
    };
  },

  headText({ nodes, gpus, troubledGpus, waysUnknownGpus, simulatedNodes, oldestReadingMs, oldestWaysMs }) {
    const ages = [
      oldestReadingMs !== null && ` Links read at most ${duration(oldestReadingMs)} ago.`,
      oldestWaysMs !== null &&
        oldestWaysMs >= 1000 &&
        ` Ways to other GPUs asked at most ${duration(oldestWaysMs)} ago.`,
    ].filter(Boolean);
    const troubled = troubledGpus === 0 ? 'none in trouble' : `${troubledGpus} in trouble`;
    const unknown = waysUnknownGpus === 0 ? '' : `; ways to others not known of ${waysUnknownGpus}`;
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${count(gpus, 'GPU')} on ${count(nodes, 'node')}: ${troubled}${unknown}.${ages.join('')}`,
    ];
  },

  rowText(row) {
    switch (row.kind) {
      case 'driverProblem':
        return `${row.node}: ${driverText(row.driver)}`;
      case 'trouble':
        return `${row.node} GPU ${row.gpuName} (${row.name ?? 'unknown model'}): ${row.text}`;
      case 'gpu':
        return `${row.node} GPU ${row.gpu.gpu.index}: ${gpuText(row.gpu)}`;
      case 'matrix':
        return `${row.node}:\n${row.text}`;
      case 'equalNodes':
        return `${foldNames(row.nodes)}${row.nodes.length > 1 ? ` each (${row.nodes.length} nodes)` : ''}: ${row.text}`;
    }
  },
});

type Trouble = Extract<Row, { kind: 'trouble' }>;

function troublesOf({ node, value }: Answer<NodeTopology>, equals: Equals): Trouble[] {
  const nameOf = gpuNames(value.gpus.map(({ gpu }) => gpu));
  return value.gpus.flatMap((each) => {
    const { index, name } = each.gpu;
    const gpuName = nameOf(each.gpu);
    return troublesOfGpu(each, value.gpus, equals).map(
      (text): Trouble => ({ kind: 'trouble', node, index, gpuName, name, text }),
    );
  });
}

function fullRows({ node, value }: Answer<NodeTopology>): Row[] {
  const there = value.gpus.filter(({ gpu }) => gpu.trouble?.kind !== 'vanished');
  const matrix = there.length > 1 ? [{ kind: 'matrix' as const, node, text: matrixText(there) }] : [];
  return [...matrix, ...value.gpus.map((gpu): Row => ({ kind: 'gpu', node, gpu }))];
}

/** Nodes whose GPUs are connected alike. */
function groups(answers: readonly Answer<NodeTopology>[]): Row[] {
  const byText = new Map<string, string[]>();
  for (const { node, value } of answers) {
    if (value.gpus.length === 0 && value.driver.problem) continue;
    const text = kindsText(value.gpus);
    byText.set(text, [...(byText.get(text) ?? []), node]);
  }
  return [...byText]
    .map(([text, nodes]) => ({ kind: 'equalNodes' as const, nodes, text }))
    .sort((a, b) => a.nodes.length - b.nodes.length || byName(a.nodes[0] ?? '', b.nodes[0] ?? ''));
}

function kindsText(gpus: readonly GpuTopologyRow[]): string {
  const kinds = new Map<string, number>();
  for (const each of gpus) {
    const { gpu } = each;
    const text = [gpu.name ?? 'unknown model', linksOrNone(gpu), readableText(each), untoldWaysText(each)]
      .filter(Boolean)
      .join(', ');
    kinds.set(text, (kinds.get(text) ?? 0) + 1);
  }
  return [...kinds].map(([text, number]) => `${number} × ${text}`).join('; ') || 'no GPU';
}
