import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import { foldNames } from '../core/names.ts';
import { duration } from '../core/words.ts';
import type { MetricsRow } from './metrics-row.ts';
import { oldestOf } from './node-answer.ts';

/** A GPU of a node. */
export interface Placed {
  readonly node: string;
  readonly gpu: MetricsRow;
  /** Its values are not of now: they are shown with their age, and are in no sum and no ranking. */
  readonly old: boolean;
}

/** GPUs, of each of these nodes the same, of which the same could not be read. */
export const unreadRow = z.object({
  kind: z.literal('unread'),
  nodes: z.array(z.string()),
  indexes: z.array(z.int()),
  missing: z.record(z.string(), z.string()).describe('field → why it cannot be read'),
  oldMs: z
    .number()
    .nullable()
    .describe('how old the values are where they are too old for sums and rankings'),
});
type UnreadRow = z.output<typeof unreadRow>;

/** What a GPU did so much longer ago than the others of its node is not what it does now. */
const muchOlderMs = 30_000;

/** How often samples are taken is told by the age of those of the node that are well. */
export function placed(node: string, gpus: readonly MetricsRow[], driverIsWell: boolean): Placed[] {
  const youngestMs = Math.min(...gpus.flatMap(({ ageMs, trouble }) => (trouble ? [] : (ageMs ?? []))));
  const oldMs = (driverIsWell ? youngestMs : 0) + muchOlderMs;
  return gpus.map((gpu) => {
    const { ageMs, trouble, takesMs = 0 } = gpu;
    // Where the driver takes long for all of them none is younger than the others.
    const limitMs = takesMs > muchOlderMs ? muchOlderMs : oldMs;
    return { node, gpu, old: ageMs !== null && (trouble !== null || ageMs > limitMs) };
  });
}

/** What sums and rankings are made of. */
const summed = ['utilization', 'memory', 'temperatureC', 'powerWatts'];
const unsupported = ['notSupported', 'notSupportedByDriver', 'notKnownToAgent'];
/** As a matter of course, of values that no sum rests on: rates have two samples behind them, some counters need root. */
const ordinary = [...unsupported, 'notReady', 'noData', 'noPermission'];

/** GPUs that a sum leaves out without a line of their own would pass for counted. */
export function unreadRows(gpus: readonly Placed[]): UnreadRow[] {
  const unread = gpus.flatMap(({ node, gpu, old }) => {
    const missing = failedOf(gpu);
    return old || Object.keys(missing).length > 0 ? [{ node, gpu, missing, old }] : [];
  });
  const ofNodes = groupBy(unread, ({ node, missing, old }) => JSON.stringify([node, missing, old]));
  const alike = groupBy([...ofNodes.values()], (group) =>
    JSON.stringify([group.map(({ gpu }) => gpu.index), group[0]?.missing, group[0]?.old]),
  );
  return [...alike.values()].map((groups) => {
    const [first = []] = groups;
    const agesMs = groups.flatMap((group) => group.map(({ gpu, old }) => (old ? gpu.ageMs : null)));
    return {
      kind: 'unread',
      nodes: groups.flatMap((group) => group[0]?.node ?? []),
      indexes: first.map(({ gpu }) => gpu.index),
      missing: first[0]?.missing ?? {},
      oldMs: oldestOf(agesMs),
    };
  });
}

function failedOf({ missing }: MetricsRow): Record<string, string> {
  const failed = Object.entries(missing).filter(
    ([name, reason]) => !(summed.includes(name) ? unsupported : ordinary).includes(reason),
  );
  const rank = ([name]: [string, string]) => (summed.includes(name) ? 0 : 1);
  return Object.fromEntries(failed.sort((a, b) => rank(a) - rank(b)));
}

/** `gpu-[1-4] GPU 2, 3: cannot be read: utilization powerWatts (nvmlReturn999)`. */
export function unreadText({ nodes, indexes, missing, oldMs: ageMs }: UnreadRow): string {
  const parts = [
    ageMs !== null && `values are ${duration(ageMs)} old, and in no sum and no ranking`,
    Object.keys(missing).length > 0 && `cannot be read: ${failedText(missing)}`,
  ].filter(Boolean);
  return `${foldNames(nodes)} GPU ${indexes.join(', ')}: ${parts.join('; ')}`;
}

const namedAtMost = 4;

function failedText(missing: UnreadRow['missing']): string {
  const byReason = groupBy(Object.entries(missing), ([, reason]) => reason);
  const texts = [...byReason].map(([reason, fields]) => {
    const names = fields.slice(0, namedAtMost).map(([name]) => name);
    const more = fields.length - names.length;
    return `${names.join(' ')}${more > 0 ? ` and ${more} more` : ''} (${reason})`;
  });
  return texts.join(', ');
}
