import { z } from 'zod';

import { type GpmActivity, type GpmMetric, gpmMetricNames } from '../core/gpm.ts';
import { groupBy } from '../core/group-by.ts';
import { foldNames } from '../core/names.ts';
import { orNull, type Reading, reasons } from '../core/reading.ts';
import { answerOfGpu, type GpuState, unanswered } from '../core/snapshot.ts';
import { count, duration } from '../core/words.ts';
import type { Answer, NodeContext } from './tool.ts';

const percents = Object.fromEntries(gpmMetricNames.map((name) => [name, z.number().nullable()])) as Record<
  GpmMetric,
  z.ZodNullable<z.ZodNumber>
>;
const activity = {
  windowMs: z.number().nullable().describe('between the two samples'),
  ...percents,
  missing: z.record(z.string(), z.string()).describe('field → why it is null; gpm: all of it'),
};

/** What GPM says of one GPU, and of the MIG GPU instances on it. */
export const gpmRow = z.object({
  index: z.int(),
  ageMs: z.number().nullable(),
  ...activity,
  /** The UUIDs are those of the MIG devices in it. */
  instances: z.array(
    z.object({ gpuInstanceId: z.int(), uuids: z.array(z.string()).default([]), ...activity }),
  ),
});
export type GpmRow = z.output<typeof gpmRow>;

export function gpmRowOf(state: GpuState, { gpm, nowMs }: NodeContext): GpmRow {
  const known = answerOfGpu(gpm, state);
  const answer = known?.answer ?? unanswered(state);
  const { whole, instances } = 'value' in answer ? answer.value : { whole: answer, instances: [] };
  return {
    index: state.index,
    ageMs: known ? Math.round(nowMs - known.readAtMs) : null,
    ...activityRow(whole),
    instances: instances.map((each) => ({
      gpuInstanceId: each.gpuInstanceId,
      uuids: uuidsIn(state, each.gpuInstanceId),
      ...activityRow(each.activity),
    })),
  };
}

function uuidsIn({ readings }: GpuState, instance: number): string[] {
  const devices = orNull(readings.migDevices) ?? [];
  return devices
    .filter(({ gpuInstanceId }) => orNull(gpuInstanceId) === instance)
    .flatMap(({ uuid }) => orNull(uuid) ?? []);
}

function activityRow(reading: Reading<GpmActivity>) {
  const known = orNull(reading);
  const value = (name: GpmMetric) => (known ? orNull(known.metrics[name]) : null);
  return {
    windowMs: known?.windowMs ?? null,
    ...(Object.fromEntries(gpmMetricNames.map((name) => [name, value(name)])) as Record<
      GpmMetric,
      number | null
    >),
    missing: 'missing' in reading ? { gpm: reading.missing } : reasons(reading.value.metrics),
  };
}

export const gpmRows = [
  z.object({ kind: z.literal('gpm'), node: z.string(), gpm: gpmRow }),
  z.object({ kind: z.literal('noGpm'), nodes: z.array(z.string()), gpus: z.int(), reason: z.string() }),
] as const;
type Row = z.output<(typeof gpmRows)[number]>;

const notKnownToAgent = "its agent is older than GPM in this tool: upgrade the chart's release";

/** A row for each GPU that tells, and one for each reason why others do not. */
export function gpmRowsOf(answers: readonly Answer<NodeGpm>[]): Row[] {
  const silent = answers.flatMap(silentOf);
  const told = answers.flatMap(({ node, value }) =>
    (value.gpm ?? []).filter(tells).map((gpm): Row => ({ kind: 'gpm', node, gpm })),
  );
  const byReason = groupBy(silent, ({ reason }) => reason);
  return [
    ...told,
    ...[...byReason].map(([reason, group]): Row => {
      const nodes = [...new Set(group.map(({ node }) => node))];
      return { kind: 'noGpm', nodes, gpus: group.reduce((sum, { gpus }) => sum + gpus, 0), reason };
    }),
  ];
}

interface NodeGpm {
  readonly gpus: readonly unknown[];
  /** Not told by agents that do not know of it. */
  readonly gpm?: readonly GpmRow[] | undefined;
}

function tells({ missing, instances }: GpmRow): boolean {
  return missing['gpm'] === undefined || instances.length > 0;
}

function silentOf({ node, value: { gpm, gpus } }: Answer<NodeGpm>) {
  if (!gpm) return [{ node, gpus: gpus.length, reason: notKnownToAgent }];
  return gpm
    .filter((row) => !tells(row))
    .map(({ missing }) => ({ node, gpus: 1, reason: missing['gpm'] ?? '' }));
}

export function gpmRowText(row: Row): string {
  if (row.kind === 'noGpm')
    return `GPM: ${foldNames(row.nodes)}: not told by ${count(row.gpus, 'GPU')} (${wordsFor[row.reason] ?? row.reason})`;
  const { gpm, node } = row;
  const age = gpm.ageMs === null ? '' : `, ${duration(gpm.ageMs)} ago`;
  return [
    `${node} GPU ${gpm.index} GPM: ${activityText(gpm, age)}`,
    ...gpm.instances.map(
      (each) => `GPU instance ${[each.gpuInstanceId, ...each.uuids].join(' ')}: ${activityText(each, '')}`,
    ),
  ].join('; ');
}

const wordsFor: Readonly<Record<string, string>> = {
  notSupported: 'notSupported: this board or driver has none; Hopper and newer can have it',
};

const words: Readonly<Record<GpmMetric, string>> = {
  smPercent: 'SM active',
  smOccupancyPercent: 'SM occupancy',
  tensorPercent: 'tensor',
  dramBandwidthPercent: 'DRAM bandwidth',
  graphicsPercent: 'graphics engine',
  tensorFp16Percent: 'tensor FP16',
  tensorFp64Percent: 'tensor FP64',
  tensorIntegerPercent: 'tensor integer',
  fp64Percent: 'FP64',
  fp32Percent: 'FP32',
  fp16Percent: 'FP16',
  integerPercent: 'integer',
};

function activityText(row: GpmRow | GpmRow['instances'][number], age: string): string {
  const names = Object.keys(words) as GpmMetric[];
  const known = names.filter((name) => row[name] !== null);
  const shown = known.map((name) => `${words[name]} ${Number((row[name] ?? 0).toFixed(1))} %`);
  const untold = Object.entries(row.missing).map(([name, reason]) => `${name} (${reason})`);
  const over = row.windowMs === null ? '' : ` over ${duration(row.windowMs)}${age}`;
  if (shown.length === 0 && over) return `no values${over}: ${reasonsText(row.missing)}`;
  const parts = [shown.join(', ') + over, untold.length > 0 ? `missing: ${untold.join(', ')}` : ''];
  return parts.filter(Boolean).join('; ');
}

/** Each once: of what has no value at all the fields need no list. */
function reasonsText(missing: GpmRow['missing']): string {
  return [...new Set(Object.values(missing))].join(', ');
}
