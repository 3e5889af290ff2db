import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { count } from '../core/words.ts';
import { verdicts } from '../diagnose/verdict.ts';
import { agesText } from './age-text.ts';
import { commonArguments } from './arguments.ts';
import { healthEvents } from './health-events.ts';
import { type GpuHealth, gpuHealth, gpuText, healthOf } from './health-gpu.ts';
import {
  answerOf,
  driverAnswer,
  driverProblemText,
  driverText,
  nodeAnswer,
  oldestOf,
  selectGpus,
  simulatedText,
} from './node-answer.ts';
import { type Answer, defineTool } from './tool.ts';

const output = z.object({ ...nodeAnswer, gpus: z.array(gpuHealth) });
type NodeHealth = z.output<typeof output>;

const row = z.union([
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({ kind: z.literal('noGpus'), nodes: z.array(z.string()) }),
  z.object({ kind: z.literal('gpu'), node: z.string(), gpu: gpuHealth, full: z.boolean() }),
  z.object({
    kind: z.literal('okNodes'),
    nodes: z.array(z.string()),
    gpusPerNode: z.int(),
    model: z.string().nullable(),
    unchecked: z.array(z.string()),
  }),
]);
type Row = z.output<typeof row>;

export const health = defineTool({
  name: 'get_gpu_health',
  title: 'GPU health',
  description:
    'A verdict per GPU (ok, watch, unknown, degraded, failed) with its evidence and what to do. Looks at temperature against ' +
    'its own thresholds, uncorrectable ECC since driver load, row remaps, hardware slowdown, lost or hung GPUs, the ' +
    "driver's recovery action, Xids of the last day. Worst first; healthy GPUs are counted and grouped. detail=full shows every " +
    'GPU with all evidence and what could not be checked.',
  input: z.strictObject(commonArguments),
  output,
  head: z.object({
    nodes: z.int(),
    gpus: z.int(),
    verdicts: z.record(z.string(), z.int()),
    driverProblemNodes: z.array(z.string()),
    simulatedNodes: z.array(z.string()),
    oldestReadingMs: z.number().nullable(),
    oldestSlowReadingMs: z.number().nullable(),
  }),
  row,

  answer({ gpu }, node) {
    const events = healthEvents(node);
    return {
      ...answerOf(node),
      gpus: selectGpus(node.snapshot, gpu).map((state) => healthOf(state, node, events)),
    };
  },

  merge({ detail, gpu }, answers) {
    const gpus = answers.flatMap(({ node, value }) => value.gpus.map((each) => ({ node, gpu: each })));
    const full = detail === 'full' || gpu !== undefined;
    const problems = answers.filter(({ value }) => value.driver.problem);
    const listed = gpus
      .filter((each) => full || !isFolded(each.gpu))
      .sort((a, b) => verdicts.indexOf(b.gpu.verdict) - verdicts.indexOf(a.gpu.verdict));
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        verdicts: countVerdicts(gpus.map((each) => each.gpu)),
        driverProblemNodes: problems.map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(gpus.map((each) => each.gpu.ageMs)),
        oldestSlowReadingMs: oldestOf(gpus.map((each) => each.gpu.counters?.slowAgeMs ?? null)),
      },
      rows: [
        ...problems.map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...(gpu === undefined ? withoutGpus(answers) : []),
        ...listed.map(({ node, gpu: each }): Row => ({ kind: 'gpu', node, gpu: each, full })),
        ...(full ? [] : okGroups(answers)),
      ],
      gpuCount: gpus.length,
    };
  },

  headText({ nodes, gpus, verdicts: counts, driverProblemNodes, simulatedNodes, ...oldest }) {
    const summary = Object.entries(counts).map(([verdict, number]) => `${number} ${verdict}`);
    const ages = agesText(oldest.oldestReadingMs, oldest.oldestSlowReadingMs);
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${count(gpus, 'GPU')} on ${count(nodes, 'node')}${summary.length > 0 ? `: ${summary.join(', ')}` : ''}.${driverProblemText(driverProblemNodes)}${ages}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'driverProblem') return `${row.node}: ${driverText(row.driver)}`;
    if (row.kind === 'gpu') return gpuText(row.node, row.gpu, row.full);
    if (row.kind === 'noGpus') return `unknown: ${foldNames(row.nodes)}: the driver offers no GPU`;
    const { nodes, gpusPerNode, model, unchecked } = row;
    const each = nodes.length > 1 ? ` each (${nodes.length} nodes)` : '';
    const blind = unchecked.length > 0 ? ` (not checked: ${unchecked.join(', ')})` : '';
    return `${blind ? 'ok as far as checked' : 'ok'}: ${foldNames(nodes)}${each}: ${gpusPerNode} × ${model ?? 'unknown model'}${blind}`;
  },
});

/** Into the line of its node: there is nothing to say of it. */
function isFolded({ verdict, findings }: GpuHealth): boolean {
  return verdict === 'ok' && findings.length === 0;
}

function countVerdicts(gpus: readonly GpuHealth[]): Record<string, number> {
  const counts = [...verdicts]
    .reverse()
    .map((verdict) => [verdict, gpus.filter((gpu) => gpu.verdict === verdict).length] as const);
  return Object.fromEntries(counts.filter(([, number]) => number > 0));
}

/** A driver that runs and shows no GPU at all: on a GPU node that is no sign of health. */
function withoutGpus(answers: readonly Answer<NodeHealth>[]): Row[] {
  const nodes = answers.filter(({ value }) => value.gpus.length === 0 && !value.driver.problem);
  return nodes.length > 0 ? [{ kind: 'noGpus', nodes: nodes.map(({ node }) => node) }] : [];
}

/** Nodes with equally many healthy GPUs of one model, of which the same could not be checked. */
function okGroups(answers: readonly Answer<NodeHealth>[]): Row[] {
  const groups = new Map<string, Extract<Row, { kind: 'okNodes' }>>();
  for (const { node, value } of answers) {
    for (const kind of okKinds(value.gpus)) {
      const key = JSON.stringify(kind);
      const group = groups.get(key) ?? { kind: 'okNodes', nodes: [], ...kind };
      groups.set(key, { ...group, nodes: [...group.nodes, node] });
    }
  }
  return [...groups.values()].sort((a, b) => byName(a.nodes[0] ?? '', b.nodes[0] ?? ''));
}

interface OkKind {
  readonly gpusPerNode: number;
  readonly model: string | null;
  readonly unchecked: string[];
}

function okKinds(gpus: readonly GpuHealth[]): OkKind[] {
  const kinds = new Map<string, OkKind>();
  for (const { name, unchecked } of gpus.filter(isFolded)) {
    const key = JSON.stringify([name, unchecked]);
    kinds.set(key, { gpusPerNode: (kinds.get(key)?.gpusPerNode ?? 0) + 1, model: name, unchecked });
  }
  return [...kinds.values()];
}
