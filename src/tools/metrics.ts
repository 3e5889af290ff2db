import { z } from 'zod';

import { byName } from '../core/names.ts';
import { count, duration, gibibytes } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import { gpmRow, gpmRowOf, gpmRows, gpmRowsOf, gpmRowText } from './gpm-row.ts';
import { troubleText } from './gpu-text.ts';
import { type MetricsRow, metricsRow, metricsText } from './metrics-row.ts';
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
import { range, rangeOf, rangeText } from './range.ts';
import { type Answer, defineTool } from './tool.ts';

const output = z.object({
  ...nodeAnswer,
  gpus: z.array(metricsRow.schema),
  gpm: z.array(gpmRow).optional().describe('only when asked for'),
});
type NodeMetrics = z.output<typeof output>;

const ranked = z.object({ node: z.string(), index: z.int(), value: z.number() });

const input = z.strictObject({
  ...commonArguments,
  gpm: z
    .boolean()
    .optional()
    .describe('also SM occupancy, tensor, DRAM bandwidth and pipe activity (Hopper and newer, 250 ms)'),
});

const row = z.union([
  ...gpmRows,
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({ kind: z.literal('gpu'), node: z.string(), gpu: metricsRow.schema }),
  z.object({
    kind: z.literal('ranking'),
    what: z.string().describe('busiest, idle with memory held, hottest or highest power'),
    unit: z.string(),
    gpus: z.array(ranked),
  }),
  z.object({
    kind: z.literal('node'),
    node: z.string(),
    gpus: z.int(),
    migDevices: z.int(),
    utilizationPercent: range,
    memoryUsedPercent: range,
    temperatureC: range,
    powerWatts: range,
  }),
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
  head: z.object({
    nodes: z.int(),
    gpus: z.int(),
    utilizationPercent: range,
    memoryUsedBytes: z.number().nullable(),
    memoryTotalBytes: z.number().nullable(),
    powerWatts: z.number().nullable(),
    driverProblemNodes: z.array(z.string()),
    simulatedNodes: z.array(z.string()),
    oldestReadingMs: z.number().nullable(),
  }),
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
    const gpus = answers.flatMap(placed);
    const full = detail === 'full' || gpu !== undefined;
    const problems = answers.filter(({ value }) => value.driver.problem);
    const odd = gpus.filter(({ gpu: each }) => troubleText(each) !== null || isThrottled(each));
    const others = gpus.filter((each) => !odd.includes(each));
    const there = gpus.map((each) => each.gpu);
    return {
      head: {
        nodes: answers.length,
        gpus: gpus.length,
        utilizationPercent: rangeOf(there.map(busy)),
        memoryUsedBytes: sumOf(there.map(({ memory }) => memory?.usedBytes ?? null)),
        memoryTotalBytes: sumOf(there.map(({ memory }) => memory?.totalBytes ?? null)),
        powerWatts: sumOf(there.map(({ powerWatts }) => powerWatts)),
        driverProblemNodes: problems.map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
        oldestReadingMs: oldestOf(there.map(({ ageMs }) => ageMs)),
      },
      rows: [
        ...problems.map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...odd.map((each): Row => ({ kind: 'gpu', ...each })),
        ...(gpm ? gpmRowsOf(answers) : []),
        ...(full ? others.map((each): Row => ({ kind: 'gpu', ...each })) : summary(gpus, answers)),
      ],
      gpuCount: gpus.length,
    };
  },

  headText(head) {
    const { memoryUsedBytes: used, memoryTotalBytes: total, powerWatts, utilizationPercent } = head;
    const facts = [
      utilizationPercent && `${Math.round(utilizationPercent.mean)} % busy on average`,
      used !== null && total !== null && `${gibibytes(used)} of ${gibibytes(total)} used`,
      powerWatts !== null && `${Math.round(powerWatts)} W in all`,
    ].filter(Boolean);
    const age =
      head.oldestReadingMs === null ? '' : ` Readings at most ${duration(head.oldestReadingMs)} old.`;
    return [
      ...simulatedText(head.nodes, head.simulatedNodes),
      `${count(head.gpus, 'GPU')} on ${count(head.nodes, 'node')}${facts.length > 0 ? `: ${facts.join(', ')}` : ''}.${driverProblemText(head.driverProblemNodes)}${age}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'driverProblem') return `${row.node}: ${driverText(row.driver)}`;
    if (row.kind === 'gpu') return `${row.node} GPU ${row.gpu.index}: ${metricsText(row.gpu)}`;
    if (row.kind === 'gpm' || row.kind === 'noGpm') return gpmRowText(row);
    if (row.kind === 'ranking') return rankingText(row);
    return nodeText(row);
  },
});

interface Placed {
  readonly node: string;
  readonly gpu: MetricsRow;
}

function placed({ node, value }: Answer<NodeMetrics>): Placed[] {
  return value.gpus.map((gpu) => ({ node, gpu }));
}

/** By heat or by the hardware: a power cap is normal on a busy GPU, and an idle one is idle. */
const throttles = ['hwSlowdown', 'swThermalSlowdown', 'hwThermalSlowdown', 'hwPowerBrakeSlowdown'];

function isThrottled({ clocksEventReasons }: MetricsRow): boolean {
  return clocksEventReasons?.some((reason) => throttles.includes(reason)) ?? false;
}

function busy({ utilization }: MetricsRow): number | null {
  return utilization?.gpuPercent ?? null;
}

function memoryUsedPercent({ memory }: MetricsRow): number | null {
  return memory && memory.totalBytes > 0 ? (100 * memory.usedBytes) / memory.totalBytes : null;
}

const rankedAtMost = 5;
/** Less is what a driver or a display server holds. */
const heldBytes = 2 ** 30;

function summary(gpus: readonly Placed[], answers: readonly Answer<NodeMetrics>[]): Row[] {
  const idle = gpus.filter(({ gpu }) => busy(gpu) === 0 && (gpu.memory?.usedBytes ?? 0) > heldBytes);
  const rankings = [
    ranking('busiest', '%', gpus, busy),
    ranking('idle with memory held', 'GiB', idle, ({ memory }) => memory && memory.usedBytes / 2 ** 30),
    ranking('hottest', '°C', gpus, ({ temperatureC }) => temperatureC),
    ranking('highest power', 'W', gpus, ({ powerWatts }) => powerWatts),
  ];
  const nodes = answers.filter(({ value }) => value.gpus.length > 0).map(nodeRow);
  return [
    ...(gpus.length > 1 ? rankings.filter((row) => row.gpus.length > 0) : []),
    ...nodes.sort((a, b) => byName(a.node, b.node)),
  ];
}

function ranking(
  what: string,
  unit: string,
  gpus: readonly Placed[],
  of: (gpu: MetricsRow) => number | null,
) {
  const values = gpus.flatMap(({ node, gpu }) => {
    const value = of(gpu);
    return value === null ? [] : [{ node, index: gpu.index, value: Number(value.toFixed(1)) }];
  });
  const first = values.sort((a, b) => b.value - a.value).slice(0, rankedAtMost);
  return { kind: 'ranking' as const, what, unit, gpus: first };
}

function nodeRow({ node, value: { gpus } }: Answer<NodeMetrics>) {
  return {
    kind: 'node' as const,
    node,
    gpus: gpus.length,
    migDevices: gpus.reduce((sum, { migDevices }) => sum + (migDevices?.length ?? 0), 0),
    utilizationPercent: rangeOf(gpus.map(busy)),
    memoryUsedPercent: rangeOf(gpus.map(memoryUsedPercent)),
    temperatureC: rangeOf(gpus.map(({ temperatureC }) => temperatureC)),
    powerWatts: rangeOf(gpus.map(({ powerWatts }) => powerWatts)),
  };
}

function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) : null;
}

function rankingText({ what, unit, gpus }: Extract<Row, { kind: 'ranking' }>): string {
  return `${what}: ${gpus.map(({ node, index, value }) => `${node} GPU ${index} ${value} ${unit}`).join(', ')}`;
}

function nodeText(row: Extract<Row, { kind: 'node' }>): string {
  const facts = [
    row.migDevices > 0 && count(row.migDevices, 'MIG device'),
    rangeText(row.utilizationPercent, '% busy'),
    rangeText(row.memoryUsedPercent, '% of memory used'),
    rangeText(row.temperatureC, '°C'),
    rangeText(row.powerWatts, 'W'),
  ].filter(Boolean);
  return `${row.node}: ${count(row.gpus, 'GPU')}: ${facts.join(', ') || 'nothing could be read'}`;
}
