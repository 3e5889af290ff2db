import { z } from 'zod';

import { count, gibibytes } from '../core/words.ts';
import { agesText } from './age-text.ts';
import { commonArguments } from './arguments.ts';
import { gpmRow, gpmRowOf, gpmRows, gpmRowsOf, gpmRowText } from './gpm-row.ts';
import { troubleText } from './gpu-text.ts';
import { type MetricsRow, metricsRow, metricsText } from './metrics-row.ts';
import { busy, summary, summaryRows, summaryText } from './metrics-summary.ts';
import { type Placed, placed } from './metrics-unread.ts';
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
import { partOf, range, rangeOf } from './range.ts';
import { defineTool } from './tool.ts';

const output = z.object({
  ...nodeAnswer,
  gpus: z.array(metricsRow.schema),
  gpm: z.array(gpmRow).optional().describe('only when asked for'),
});

const input = z.strictObject({
  ...commonArguments,
  gpm: z
    .boolean()
    .optional()
    .describe('also SM occupancy, tensor, DRAM bandwidth and pipe activity (Hopper and newer, 250 ms)'),
});

const head = z.object({
  nodes: z.int(),
  gpus: z.int(),
  utilizationPercent: range,
  memoryUsedBytes: z.number().nullable(),
  memoryTotalBytes: z.number().nullable(),
  powerWatts: z.number().nullable(),
  gpusCounted: z
    .object({ memory: z.int(), power: z.int() })
    .describe('of how many GPUs the sums are; the others cannot be read, or not now'),
  gpusWithOldValues: z.int().describe('hung, gone or long not read: in no sum, mean or ranking'),
  driverProblemNodes: z.array(z.string()),
  simulatedNodes: z.array(z.string()),
  oldestReadingMs: z.number().nullable(),
  oldestSlowReadingMs: z.number().nullable(),
});

const row = z.union([
  ...gpmRows,
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({ kind: z.literal('gpu'), node: z.string(), gpu: metricsRow.schema }),
  ...summaryRows,
]);
type Row = z.output<typeof row>;

export const metrics = defineTool({
  name: 'get_gpu_metrics',
  title: 'GPU metrics',
  description:
    'What the GPUs are doing now. Utilisation, memory, temperatures with their limits, power, clocks and what holds them down, ' +
    'PCIe and NVLink traffic. Of the fleet: throttled GPUs, the busiest, the idle that hold memory, the hottest, and each node in one ' +
    'line. detail=full or gpu: every GPU with every value, encoder to fans, and how long it was held down by what.',
  input,
  output,
  head,
  row,
  inquires: ({ gpm }) => (gpm ? 'gpm' : undefined),

  answer({ gpu, gpm }, node) {
    const selected = selectGpus(node.snapshot, gpu);
    return {
      ...answerOf(node),
      gpus: selected.map((state) => metricsRow.of(state, node.nowMs)),
      ...(gpm && { gpm: selected.map((state) => gpmRowOf(state, node)) }),
    };
  },

  merge({ detail, gpu, gpm }, answers) {
    const gpus = answers.flatMap(({ node, value }) => placed(node, value.gpus, !value.driver.problem));
    const full = detail === 'full' || gpu !== undefined;
    const problems = answers.filter(({ value }) => value.driver.problem);
    const odd = gpus.filter(({ gpu: each }) => troubleText(each) !== null || isThrottled(each));
    const others = gpus.filter((each) => !odd.includes(each));
    const current = gpus.flatMap(({ gpu: each, old }) => (old ? [] : each));
    const memories = current.flatMap(({ memory }) => memory ?? []);
    const watts = current.flatMap(({ powerWatts }) => powerWatts ?? []);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        utilizationPercent: rangeOf(current.map(busy)),
        memoryUsedBytes: sumOf(memories.map(({ usedBytes }) => usedBytes)),
        memoryTotalBytes: sumOf(memories.map(({ totalBytes }) => totalBytes)),
        powerWatts: sumOf(watts),
        gpusCounted: { memory: memories.length, power: watts.length },
        gpusWithOldValues: gpus.length - current.length,
        driverProblemNodes: problems.map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(gpus.map((each) => each.gpu.ageMs)),
        oldestSlowReadingMs: oldestOf(gpus.map((each) => each.gpu.slowAgeMs)),
      },
      rows: [
        ...problems.map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...odd.map(asRow),
        ...(gpm ? gpmRowsOf(answers) : []),
        ...(full ? others.map(asRow) : summary(gpus, odd)),
      ],
      gpuCount: gpus.length,
    };
  },

  headText(head) {
    const age = agesText(head.oldestReadingMs, head.oldestSlowReadingMs);
    return [
      ...simulatedText(head.nodes, head.simulatedNodes),
      `${count(head.gpus, 'GPU')} on ${count(head.nodes, 'node')}${loadText(head)}.${oldText(head.gpusWithOldValues)}${driverProblemText(head.driverProblemNodes)}${age}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'driverProblem') return `${row.node}: ${driverText(row.driver)}`;
    if (row.kind === 'gpu') return `${row.node} GPU ${row.gpu.index}: ${metricsText(row.gpu)}`;
    if (row.kind === 'gpm' || row.kind === 'noGpm') return gpmRowText(row);
    return summaryText(row);
  },
});

function asRow({ node, gpu }: Placed): Row {
  return { kind: 'gpu', node, gpu };
}

/** By heat or by the hardware: a power cap is normal on a busy GPU, and an idle one is idle. */
const throttles = ['hwSlowdown', 'swThermalSlowdown', 'hwThermalSlowdown', 'hwPowerBrakeSlowdown'];

function isThrottled({ clocksEventReasons }: MetricsRow): boolean {
  return clocksEventReasons?.some((reason) => throttles.includes(reason)) ?? false;
}

function sumOf(values: readonly number[]): number | null {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) : null;
}

function loadText({ gpus, gpusCounted: counted, ...load }: z.output<typeof head>): string {
  const { memoryUsedBytes: used, memoryTotalBytes: total, powerWatts, utilizationPercent: busy } = load;
  const facts = [
    busy && `${Math.round(busy.mean)} % busy on average${inBrackets(partOf(busy.gpus, gpus))}`,
    used !== null &&
      total !== null &&
      `${gibibytes(used)} of ${gibibytes(total)} used${inBrackets(partOf(counted.memory, gpus))}`,
    powerWatts !== null && powerText(powerWatts, partOf(counted.power, gpus)),
  ].filter(Boolean);
  return facts.length > 0 ? `: ${facts.join(', ')}` : '';
}

function powerText(watts: number, part: string | null): string {
  return `${Math.round(watts)} W ${part ? `of ${part}` : 'in all'}`;
}

function oldText(gpus: number): string {
  if (gpus === 0) return '';
  return ` The values of ${count(gpus, 'GPU')} are old: they are in no sum and no ranking.`;
}

function inBrackets(note: string | null): string {
  return note === null ? '' : ` (${note})`;
}
