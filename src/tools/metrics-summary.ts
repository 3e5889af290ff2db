import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import { byName } from '../core/names.ts';
import { count } from '../core/words.ts';
import type { MetricsRow } from './metrics-row.ts';
import { type Placed, unreadRow, unreadRows, unreadText } from './metrics-unread.ts';
import { range, rangeOf, rangeText } from './range.ts';

const rankingRow = z.object({
  kind: z.literal('ranking'),
  what: z.string().describe('busiest, idle with memory held, hottest or highest power'),
  unit: z.string(),
  gpus: z.array(z.object({ node: z.string(), index: z.int(), value: z.number() })),
});
type RankingRow = z.output<typeof rankingRow>;

const nodeRow = z.object({
  kind: z.literal('node'),
  node: z.string(),
  gpus: z.int(),
  migDevices: z.int(),
  utilizationPercent: range,
  memoryUsedPercent: range,
  temperatureC: range,
  powerWatts: range,
});
type NodeRow = z.output<typeof nodeRow>;

export const summaryRows = [unreadRow, rankingRow, nodeRow] as const;
type SummaryRow = z.output<(typeof summaryRows)[number]>;

const rankedAtMost = 5;
/** Less is what a driver or a display server holds. */
const heldBytes = 2 ** 30;

/** @param shown those that have a line of their own */
export function summary(gpus: readonly Placed[], shown: readonly Placed[]): SummaryRow[] {
  const current = gpus.filter(({ old }) => !old);
  const idle = current.filter(({ gpu }) => busy(gpu) === 0 && (gpu.memory?.usedBytes ?? 0) > heldBytes);
  const rankings = [
    ranking('busiest', '%', current, busy),
    ranking('idle with memory held', 'GiB', idle, ({ memory }) => memory && memory.usedBytes / 2 ** 30),
    ranking('hottest', '°C', current, ({ temperatureC }) => temperatureC),
    ranking('highest power', 'W', current, ({ powerWatts }) => powerWatts),
  ];
  const nodes = [...groupBy(gpus, ({ node }) => node)].map(([node, placed]) => nodeRowOf(node, placed));
  return [
    ...unreadRows(gpus.filter((each) => !shown.includes(each))),
    ...(gpus.length > 1 ? rankings.filter((row) => row.gpus.length > 0) : []),
    ...nodes.sort((a, b) => byName(a.node, b.node)),
  ];
}

export function summaryText(row: SummaryRow): string {
  if (row.kind === 'unread') return unreadText(row);
  return row.kind === 'ranking' ? rankingText(row) : nodeText(row);
}

export function busy({ utilization }: MetricsRow): number | null {
  return utilization?.gpuPercent ?? null;
}

function memoryUsedPercent({ memory }: MetricsRow): number | null {
  return memory && memory.totalBytes > 0 ? (100 * memory.usedBytes) / memory.totalBytes : null;
}

function ranking(
  what: string,
  unit: string,
  gpus: readonly Placed[],
  of: (gpu: MetricsRow) => number | null,
): RankingRow {
  const values = gpus.flatMap(({ node, gpu }) => {
    const value = of(gpu);
    return value === null ? [] : [{ node, index: gpu.index, value: Number(value.toFixed(1)) }];
  });
  const first = values.sort((a, b) => b.value - a.value).slice(0, rankedAtMost);
  return { kind: 'ranking', what, unit, gpus: first };
}

function nodeRowOf(node: string, gpus: readonly Placed[]): NodeRow {
  const current = gpus.flatMap(({ gpu, old }) => (old ? [] : gpu));
  return {
    kind: 'node',
    node,
    gpus: gpus.length,
    migDevices: gpus.reduce((sum, { gpu: { migDevices } }) => sum + (migDevices?.length ?? 0), 0),
    utilizationPercent: rangeOf(current.map(busy)),
    memoryUsedPercent: rangeOf(current.map(memoryUsedPercent)),
    temperatureC: rangeOf(current.map(({ temperatureC }) => temperatureC)),
    powerWatts: rangeOf(current.map(({ powerWatts }) => powerWatts)),
  };
}

function rankingText({ what, unit, gpus }: RankingRow): string {
  return `${what}: ${gpus.map(({ node, index, value }) => `${node} GPU ${index} ${value} ${unit}`).join(', ')}`;
}

function nodeText(row: NodeRow): string {
  const facts = [
    row.migDevices > 0 && count(row.migDevices, 'MIG device'),
    rangeText(row.utilizationPercent, '% busy', row.gpus),
    rangeText(row.memoryUsedPercent, '% of memory used', row.gpus),
    rangeText(row.temperatureC, '°C', row.gpus),
    rangeText(row.powerWatts, 'W', row.gpus),
  ].filter(Boolean);
  return `${row.node}: ${count(row.gpus, 'GPU')}: ${facts.join(', ') || 'nothing could be read'}`;
}
