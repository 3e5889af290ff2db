import { z } from 'zod';

import { byName } from '../core/names.ts';
import { count } from '../core/words.ts';
import { agesText } from './age-text.ts';
import { commonArguments } from './arguments.ts';
import { goneOf, goneRow, goneRows, goneText } from './gone-gpus.ts';
import { gpuText } from './gpu-text.ts';
import { group, groups, groupText, isThere, model } from './inventory-groups.ts';
import { type GpuRow, inventoryRow } from './inventory-row.ts';
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
import {
  hiddenOf,
  hiddenRows,
  hiddenShape,
  notComparedRow,
  notComparedText,
  notInNvmlRow,
  notInNvmlText,
} from './pci-gpus.ts';
import { type Software, software, softwareText } from './software.ts';
import { type Answer, defineTool } from './tool.ts';

const output = z.object({
  ...nodeAnswer,
  gpus: z.array(inventoryRow.schema),
  ...hiddenShape,
  gone: z.array(z.string()).default([]).describe('GPUs of which only the history knows'),
});
type NodeInventory = z.output<typeof output>;

/** One shape for both kinds: with --structured every host gets its schema. */
const placed = z.object({
  kind: z.enum(['troubledGpu', 'gpu']),
  node: z.string(),
  software,
  gpu: inventoryRow.schema,
});
const row = z.union([
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  notInNvmlRow,
  notComparedRow,
  goneRow,
  placed,
  group,
]);
type Row = z.output<typeof row>;

export const inventory = defineTool({
  name: 'get_gpu_inventory',
  title: 'GPU inventory',
  description:
    'Which GPUs the cluster has. Of each node: model, count, memory, driver and CUDA version, ECC, MIG, power limit; equal ' +
    'nodes are grouped, GPUs that are lost or unreadable come first. detail=full lists every GPU with UUID, serial, PCI address ' +
    'and all current readings: memory used, utilisation, temperature, power, clocks, ECC counts, remapped rows. Units are in ' +
    'the text.',
  input: z.strictObject(commonArguments),
  output,
  head: z.object({
    nodes: z.int(),
    gpus: z.int(),
    models: z.array(model),
    gpusNotInNvml: z.int(),
    driverProblemNodes: z.array(z.string()),
    simulatedNodes: z.array(z.string()),
    oldestReadingMs: z.number().nullable(),
    oldestSlowReadingMs: z.number().nullable(),
  }),
  row,

  answer({ gpu }, node) {
    const gpus = selectGpus(node.snapshot, gpu).map((state) => inventoryRow.of(state, node.nowMs));
    const others = gpu === undefined ? { ...hiddenOf(node), gone: goneOf(node) } : nobodyElse;
    return { ...answerOf(node), gpus, ...others };
  },

  merge({ detail, gpu }, answers) {
    const gpus = answers.flatMap(placedGpus);
    const single = detail === 'full' || gpu !== undefined;
    const empty = gpu === undefined ? answers.filter(({ value }) => value.gpus.length === 0) : [];
    const healthy = single
      ? [...groups(empty), ...gpus.filter((each) => isThere(each.gpu)).map(asRow)]
      : groups(answers);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        models: modelsOf(gpus.map((each) => each.gpu)),
        gpusNotInNvml: answers.reduce((sum, { value }) => sum + (value.notInNvml?.length ?? 0), 0),
        driverProblemNodes: answers.filter(({ value }) => value.driver.problem).map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(gpus.map((each) => each.gpu.ageMs)),
        oldestSlowReadingMs: oldestOf(gpus.map((each) => each.gpu.slowAgeMs)),
      },
      rows: [
        ...driverProblems(answers),
        ...hiddenRows(answers),
        ...goneRows(answers),
        ...troubled(gpus),
        ...healthy,
      ],
      gpuCount: gpus.length,
    };
  },

  headText({ gpus, nodes, models, gpusNotInNvml, driverProblemNodes, simulatedNodes, ...oldest }) {
    const kinds = models
      .slice(0, maxModels)
      .map(({ name, count: number }) => `${number} × ${name ?? 'unknown model'}`)
      .join(', ');
    const more = models.length > maxModels ? ` and ${models.length - maxModels} more models` : '';
    const hidden =
      gpusNotInNvml === 0 ? '' : ` ${gpusNotInNvml} more on PCI buses, which no NVIDIA driver shows.`;
    const age = agesText(oldest.oldestReadingMs, oldest.oldestSlowReadingMs);
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${count(gpus, 'GPU')} on ${count(nodes, 'node')}${kinds && `: ${kinds}${more}`}.${hidden}${driverProblemText(driverProblemNodes)}${age}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'driverProblem') return `${row.node}: ${driverText(row.driver)}`;
    if (row.kind === 'notInNvml') return notInNvmlText(row);
    if (row.kind === 'notCompared') return notComparedText(row);
    if (row.kind === 'gone') return goneText(row);
    if (row.kind === 'equalNodes') return groupText(row);
    return `${row.node} GPU ${row.gpu.index}: ${gpuText(row.gpu)}, ${softwareText(row.software, { full: true })}`;
  },
});

const nobodyElse = { notInNvml: [], gone: [] };
/** Named in the head; more kinds than any cluster has. */
const maxModels = 12;

interface Placed {
  readonly node: string;
  readonly software: Software;
  readonly gpu: GpuRow;
}

function placedGpus({ node, value }: Answer<NodeInventory>): Placed[] {
  const versions = software.parse(value.driver); // and nothing else that the answer says of the driver
  return value.gpus.map((gpu) => ({ node, software: versions, gpu }));
}

function asRow(placed: Placed): Row {
  return { kind: 'gpu', ...placed };
}

function driverProblems(answers: readonly Answer<NodeInventory>[]): Row[] {
  return answers
    .filter(({ value }) => value.driver.problem)
    .map(({ node, value }) => ({ kind: 'driverProblem', node, driver: value.driver }));
}

function troubled(gpus: readonly Placed[]): Row[] {
  return gpus.filter((each) => !isThere(each.gpu)).map((each): Row => ({ kind: 'troubledGpu', ...each }));
}

function modelsOf(gpus: readonly GpuRow[]): z.output<typeof model>[] {
  const counts = new Map<string | null, number>();
  for (const { name } of gpus) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, number]) => ({ name, count: number }))
    .sort((a, b) => b.count - a.count || byName(a.name ?? '', b.name ?? ''));
}
