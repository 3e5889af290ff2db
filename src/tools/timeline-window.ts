import { z } from 'zod';

import { type Moment, type SeriesName, seriesNames } from '../core/history.ts';
import { duration } from '../core/words.ts';
import { commonArguments } from './arguments.ts';
import type { Span } from './timeline-points.ts';

const longestMinutes = 2880;
const minuteMs = 60_000;

/** What a person looks at first. */
export const usualSeries: readonly SeriesName[] = [
  'gpuUtilizationPercent',
  'memoryUsedBytes',
  'temperatureC',
  'powerWatts',
  'smClockMhz',
];

export const timelineInput = z.strictObject({
  ...commonArguments,
  minutes: z
    .int()
    .min(1)
    .max(longestMinutes)
    .default(30)
    .describe('up to now; beyond 2 h older values are of 5 min each'),
  since: z
    .union([z.string().min(1), z.int()])
    .refine((since) => sinceMs(since) !== undefined, 'it takes an ISO 8601 time or Unix time in ms')
    .optional()
    .describe('in place of minutes: from this time on, ISO 8601 or Unix ms'),
  series: z
    .array(z.enum(seriesNames as [SeriesName, ...SeriesName[]]))
    .min(1)
    .optional()
    .describe('default: utilization, memory, temperature, power, SM clock'),
});
export type TimelineArguments = z.output<typeof timelineInput>;

/** Unix time in ms; undefined for what is no time. A command line gives numbers as text. */
export function sinceMs(since: string | number): number | undefined {
  const ms =
    typeof since === 'number' || /^\d{12,14}$/.test(since)
      ? Number(since)
      : /^\d{4}-\d\d-\d\d/.test(since)
        ? Date.parse(since)
        : Number.NaN;
  return Number.isNaN(new Date(ms).getTime()) ? undefined : ms;
}

/** By the clock of the node; never longer than what is kept, and never empty. */
export function windowOf({ minutes, since }: TimelineArguments, now: Moment): Span {
  const asked = since === undefined ? undefined : sinceMs(since);
  const fromMs = asked ?? now.atMs - minutes * minuteMs;
  const earliest = now.atMs - longestMinutes * minuteMs;
  return { fromMs: Math.min(Math.max(fromMs, earliest), now.atMs - 1), toMs: now.atMs };
}

export function windowText({ minutes, since }: TimelineArguments): string {
  return since === undefined
    ? `last ${duration(minutes * minuteMs)}`
    : `since ${new Date(sinceMs(since) ?? 0).toISOString()}`;
}
