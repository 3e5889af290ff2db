import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { count, duration, gibibytes } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { goneOf, goneRow, goneRows, goneText } from './gone-gpus.ts';
import { gpuText, modeText, troubleText } from './gpu-text.ts';
import { type GpuRow, inventoryRow } from './inventory-row.ts';
import { migProfilesOf, migProfilesText } from './mig-text.ts';
import { missingText } from './missing-text.ts';
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

const model = z.object({ name: z.string().nullable(), count: z.int() });
const group = z.object({
  kind: z.literal('equalNodes'),
  nodes: z.array(z.string()),
  simulated: z.boolean(),
  software,
  gpus: z.array(
    model.extend({
      memoryTotalBytes: z.number().nullable(),
      powerLimitWatts: z.number().nullable(),
      migMode: z.string().nullable(),
      migProfiles: z.record(z.string(), z.int()).nullable().describe('MIG devices on each GPU, by profile'),
      eccMode: z.string().nullable(),
      persistenceMode: z.boolean().nullable(),
      missing: z.record(z.string(), z.string()).describe('field → why it is null'),
    }),
  ),
});
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
type Group = z.output<typeof group>;

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
    const healthy = single ? [...groups(empty), ...gpus.filter(isThere).map(asRow)] : groups(answers);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        models: modelsOf(gpus.map((each) => each.gpu)),
        gpusNotInNvml: answers.reduce((sum, { value }) => sum + (value.notInNvml?.length ?? 0), 0),
        driverProblemNodes: answers.filter(({ value }) => value.driver.problem).map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(gpus.map((each) => each.gpu.ageMs)),
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

  headText({ gpus, nodes, models, gpusNotInNvml, driverProblemNodes, simulatedNodes, oldestReadingMs }) {
    const kinds = models
      .slice(0, maxModels)
      .map(({ name, count: number }) => `${number} × ${name ?? 'unknown model'}`)
      .join(', ');
    const more = models.length > maxModels ? ` and ${models.length - maxModels} more models` : '';
    const hidden =
      gpusNotInNvml === 0 ? '' : ` ${gpusNotInNvml} more on PCI buses, which no NVIDIA driver shows.`;
    const age = oldestReadingMs === null ? '' : ` Readings at most ${duration(oldestReadingMs)} old.`;
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

function isThere({ gpu }: Pick<Placed, 'gpu'>): boolean {
  return troubleText(gpu) === null && gpu.name !== null;
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
  return gpus.filter((each) => !isThere(each)).map((each): Row => ({ kind: 'troubledGpu', ...each }));
}

/** Nodes that are equal in everything an inventory counts; rare kinds first. */
function groups(answers: readonly Answer<NodeInventory>[]): Group[] {
  const byKind = new Map<string, Group>();
  for (const { node, value } of answers) {
    const there = value.gpus.filter((gpu) => isThere({ gpu }));
    if (there.length === 0 && (value.driver.problem || value.gpus.length > 0)) continue;
    const kind = { simulated: value.simulated, software: software.parse(value.driver), gpus: kindsOf(there) };
    const key = JSON.stringify(kind);
    const group = byKind.get(key) ?? { kind: 'equalNodes', nodes: [], ...kind };
    byKind.set(key, { ...group, nodes: [...group.nodes, node] });
  }
  return [...byKind.values()].sort(
    (a, b) => a.nodes.length - b.nodes.length || byName(a.nodes[0] ?? '', b.nodes[0] ?? ''),
  );
}

/** The readings that make a kind of GPU. */
const counted = new Set(['memory', 'powerLimitWatts', 'migMode', 'migDevices', 'eccMode', 'persistenceMode']);

function kindsOf(gpus: readonly GpuRow[]): Group['gpus'] {
  const kinds = new Map<string, Group['gpus'][number]>();
  for (const gpu of gpus) {
    const kind = {
      name: gpu.name,
      memoryTotalBytes: gpu.memory?.totalBytes ?? null,
      powerLimitWatts: gpu.powerLimitWatts,
      migMode: gpu.migMode && modeText(gpu.migMode),
      migProfiles: gpu.migDevices && migProfilesOf(gpu.migDevices),
      eccMode: gpu.eccMode && modeText(gpu.eccMode),
      persistenceMode: gpu.persistenceMode,
      missing: Object.fromEntries(Object.entries(gpu.missing).filter(([field]) => counted.has(field))),
    };
    const key = JSON.stringify(kind);
    kinds.set(key, { ...kind, count: (kinds.get(key)?.count ?? 0) + 1 });
  }
  return [...kinds.values()];
}

function modelsOf(gpus: readonly GpuRow[]): z.output<typeof model>[] {
  const counts = new Map<string | null, number>();
  for (const { name } of gpus) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, number]) => ({ name, count: number }))
    .sort((a, b) => b.count - a.count || byName(a.name ?? '', b.name ?? ''));
}

function groupText({ nodes, software: versions, gpus }: Group): string {
  const kinds = gpus.map((gpu) =>
    [
      `${gpu.count} × ${gpu.name ?? 'unknown model'}`,
      gpu.memoryTotalBytes !== null && gibibytes(gpu.memoryTotalBytes),
      gpu.powerLimitWatts !== null && `limit ${gpu.powerLimitWatts} W`,
      gpu.eccMode && `ECC ${gpu.eccMode}`,
      gpu.migMode && `MIG ${gpu.migMode}${migProfilesText(gpu.migProfiles ?? {})}`,
      gpu.persistenceMode !== null && `persistence ${gpu.persistenceMode ? 'on' : 'off'}`,
      missingText(gpu.missing),
    ]
      .filter(Boolean)
      .join(', '),
  );
  const each = nodes.length > 1 ? ` each (${nodes.length} nodes)` : '';
  return `${foldNames(nodes)}${each}: ${kinds.join('; ') || 'no GPU'}; ${softwareText(versions, { full: false })}`;
}
