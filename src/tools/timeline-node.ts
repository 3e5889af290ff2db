import { z } from 'zod';

import { count, duration } from '../core/words.ts';
import type { GpuTimeline } from './timeline-shape.ts';
import { valueText } from './timeline-text.ts';
import type { Answer } from './tool.ts';

/** All GPUs of a node in one line, whether something happened to them or not. */
export const nodeRow = z.object({
  kind: z.literal('node'),
  node: z.string(),
  gpus: z.int(),
  /** How long ago the first sample was; null where there is none. */
  coveredForMs: z.number().nullable(),
  series: z.array(
    z.object({
      name: z.string(),
      unit: z.string(),
      min: z.number(),
      mean: z.number(),
      max: z.number(),
      /** Which GPU was highest; null where several were. */
      highest: z.int().nullable(),
    }),
  ),
  agentAwayMs: z.number(),
});
type NodeRow = z.output<typeof nodeRow>;

interface NodeValue {
  readonly toMs: number;
  readonly gpus: readonly GpuTimeline[];
}

/** None where nothing is known of any GPU. */
export function nodeSummary({ node, value: { toMs, gpus } }: Answer<NodeValue>): NodeRow[] {
  if (gpus.length === 0) return [];
  const starts = gpus.flatMap(({ covered }) => (covered ? [covered.fromMs] : []));
  const away = gpus.map(({ gaps }) =>
    gaps.filter(({ why }) => why === 'agentNotRunning').reduce((sum, { lostMs }) => sum + lostMs, 0),
  );
  const names = [...new Set(gpus.flatMap(({ series }) => series.map(({ name }) => name)))];
  return [
    {
      kind: 'node',
      node,
      gpus: gpus.length,
      coveredForMs: starts.length > 0 ? toMs - Math.min(...starts) : null,
      series: names.flatMap((name) => summaryOf(name, gpus)),
      agentAwayMs: Math.max(...away),
    },
  ];
}

function summaryOf(name: string, gpus: readonly GpuTimeline[]): NodeRow['series'] {
  const all = gpus.flatMap(({ index, series }) =>
    series.filter((each) => each.name === name && each.increase === null).map((each) => ({ ...each, index })),
  );
  const [first] = all;
  if (!first) return [];
  const highest = all.reduce((high, each) => (each.max > high.max ? each : high));
  return [
    {
      name,
      unit: first.unit,
      min: Math.min(...all.map(({ min }) => min)),
      mean: all.reduce((sum, { mean }) => sum + mean, 0) / all.length,
      max: highest.max,
      highest: all.filter(({ max }) => max === highest.max).length === 1 ? highest.index : null,
    },
  ];
}

export function nodeText({ node, gpus, coveredForMs, series, agentAwayMs }: NodeRow): string {
  if (coveredForMs === null) return `${node}: ${count(gpus, 'GPU')}: no samples in this time`;
  const texts = series.map(({ name, unit, min, mean, max, highest }) => {
    const top = gpus > 1 && highest !== null ? ` (GPU ${highest})` : '';
    return `${name} ${valueText(min, unit)} to ${valueText(max, unit)}${top}, mean ${valueText(mean, unit)}`;
  });
  const away = agentAwayMs > 0 ? `; the agent was not running for ${duration(agentAwayMs)}` : '';
  return `${node}: ${count(gpus, 'GPU')}, ${duration(coveredForMs)} known: ${texts.join('; ') || 'no values'}${away}`;
}
