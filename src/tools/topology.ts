import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { map, orNull, reasons } from '../core/reading.ts';
import { answerOfGpu, unanswered } from '../core/snapshot.ts';
import { count, duration } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { gpuNames } from './gpu-names.ts';
import { gpuRowOf } from './gpu-row.ts';
import { identityShape, linkShape, modeShape, nameShape, pcieShape } from './gpu-shape.ts';
import { after, fabricText, pcieTexts, troubleText } from './gpu-text.ts';
import { linksText, linkTroubles, noneUp, troublesText } from './link-text.ts';
import { missingText } from './missing-text.ts';
import { answerOf, driverAnswer, driverText, nodeAnswer, selectGpus, simulatedText } from './node-answer.ts';
import { type Answer, defineTool, type NodeContext } from './tool.ts';
import { type Equals, equalsOf, livesOnNvlink, troublesOfGpu, unknownLinksText } from './topology-equals.ts';
import { allWays, matrixText, readableText, untoldWaysText } from './topology-matrix.ts';

const { numaNode, numaAffinity, cpuAffinity } = identityShape;
const { fabric } = modeShape;
const gpuRow = gpuRowOf({
  ...nameShape,
  ...linkShape,
  ...pcieShape,
  numaNode,
  numaAffinity,
  cpuAffinity,
  fabric,
});

/** An agent of an older version gives no reasons here. */
const missing = z.record(z.string(), z.string()).default({});
const peer = z.object({
  index: z.int(),
  commonAncestor: z.string().nullable(),
  p2p: z.record(z.string(), z.string().nullable()),
  missing,
});
const gpuTopology = z.object({
  gpu: gpuRow.schema,
  /** Null while the driver has not answered. */
  peers: z.array(peer).nullable(),
  missing,
});
export type GpuTopologyRow = z.output<typeof gpuTopology>;

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
    oldestReadingMs: z.number().nullable(),
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
    const ages = gpus.flatMap((each) => each.gpu.slowAgeMs ?? []);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        troubledGpus: new Set(troubles.map(({ node, index }) => `${node} ${index}`)).size,
        waysUnknownGpus: gpus.filter((each) => untoldWaysText(each) !== null).length,
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: ages.length > 0 ? Math.max(...ages) : null,
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

  headText({ nodes, gpus, troubledGpus, waysUnknownGpus, simulatedNodes, oldestReadingMs }) {
    const age = oldestReadingMs === null ? '' : ` Links read at most ${duration(oldestReadingMs)} ago.`;
    const troubled = troubledGpus === 0 ? 'none in trouble' : `${troubledGpus} in trouble`;
    const unknown = waysUnknownGpus === 0 ? '' : `; ways to others not known of ${waysUnknownGpus}`;
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${count(gpus, 'GPU')} on ${count(nodes, 'node')}: ${troubled}${unknown}.${age}`,
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

function topologyOf(
  state: ReturnType<typeof selectGpus>[number],
  { nowMs, peers, snapshot }: NodeContext,
): GpuTopologyRow {
  const none = snapshot.gpus.length === 1 ? { value: [] } : undefined;
  const answer = answerOfGpu(peers, state)?.answer ?? none ?? unanswered(state);
  const known = map(answer, (list) =>
    list.map(({ index, commonAncestor, p2p }) => ({
      index,
      commonAncestor: orNull(commonAncestor),
      p2p: Object.fromEntries(Object.entries(p2p).map(([name, status]) => [name, orNull(status)])),
      missing: reasons({ commonAncestor, ...p2p }),
    })),
  );
  return { gpu: gpuRow.of(state, nowMs), peers: orNull(known), missing: reasons({ peers: known }) };
}

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

function linksOrNone(gpu: GpuTopologyRow['gpu']): string {
  if (!gpu.nvlinks) return unknownLinksText(gpu) ?? `no NVLink (${gpu.missing['nvlinks']})`;
  const unused = noneUp(gpu.nvlinks) && !livesOnNvlink(gpu);
  return `${linksText(gpu.nvlinks)}${unused ? ', as without an NVLink bridge' : ''}`;
}

function gpuText(row: GpuTopologyRow): string {
  const { gpu } = row;
  const { nvlinks, numaAffinity: numa } = gpu;
  const each = (nvlinks ?? []).map(
    ({ link, active, remotePciAddress: remote }) =>
      `${link} ${active === null ? '?' : active ? 'up' : 'DOWN'}${remote ? ` ${remote}` : ''}`,
  );
  const parts = [
    troubleText(gpu),
    gpu.name,
    gpu.uuid,
    gpu.pciAddress && `PCI ${gpu.pciAddress}`,
    after('PCIe', pcieTexts(gpu).filter(Boolean).join(', ') || null),
    nvlinks && linksText(nvlinks),
    nvlinks && troublesText(linkTroubles(nvlinks, null)),
    after('links', each.join(', ') || null),
    gpu.fabric && fabricText(gpu.fabric),
    after('memory is NUMA node', gpu.numaNode),
    numa && `near NUMA node ${numa.join('+') || 'none'}`,
    after('near CPUs', gpu.cpuAffinity),
    readableText(row),
    untoldWaysText(row, allWays),
    missingText(gpu.missing),
  ];
  return parts.filter(Boolean).join(', ');
}
