import { z } from 'zod';

import { Fault } from '../core/fault.ts';
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
    .refine(
      (since) => sinceMs(since) !== undefined,
      'it takes an ISO 8601 time or Unix time in ms, which has 13 digits: for seconds add 000',
    )
    .optional()
    .describe('in place of minutes: from this time on, ISO 8601 or Unix ms'),
  series: z
    .array(z.enum(seriesNames as [SeriesName, ...SeriesName[]]))
    .min(1)
    .optional()
    .describe('default: utilization, memory, temperature, power, SM clock'),
});
export type TimelineArguments = z.output<typeof timelineInput>;

/**
 * Unix time in ms; undefined for what is no time. A command line gives numbers as text; one of few digits is of seconds, and
 * nobody means 1970.
 */
export function sinceMs(since: string | number): number | undefined {
  const ms = /^\d{12,14}$/.test(String(since))
    ? Number(since)
    : /^\d{4}-\d\d-\d\d/.test(String(since))
      ? Date.parse(String(since))
      : Number.NaN;
  return Number.isNaN(new Date(ms).getTime()) ? undefined : ms;
}

/**
 * By the clock of the node; never longer than what is kept, and never empty.
 *
 * @throws Fault BAD_ARGUMENT for one that has not begun
 */
export function windowOf({ minutes, since }: TimelineArguments, now: Moment): Span {
  const asked = since === undefined ? undefined : sinceMs(since);
  if (asked !== undefined && asked > now.atMs)
    throw new Fault(
      `since: ${utc(asked)} is still to come: the clock of the node shows ${utc(now.atMs)}; give an earlier time, or minutes`,
      { code: 'BAD_ARGUMENT' },
    );
  const fromMs = asked ?? now.atMs - minutes * minuteMs;
  const earliest = now.atMs - longestMinutes * minuteMs;
  return { fromMs: Math.min(Math.max(fromMs, earliest), now.atMs - 1), toMs: now.atMs };
}

/** @param startsMs where the windows of the nodes begin: later than asked for where less is kept */
export function windowText({ minutes, since }: TimelineArguments, startsMs: readonly number[]): string {
  if (since === undefined) return `last ${duration(minutes * minuteMs)}`;
  const asked = sinceMs(since) ?? 0;
  const fromMs = Math.min(...startsMs);
  if (startsMs.length === 0 || fromMs - asked < minuteMs) return `since ${utc(asked)}`;
  return `since ${utc(fromMs)} (nothing from before that is kept)`;
}

function utc(atMs: number): string {
  return new Date(atMs).toISOString();
}
