import { z } from 'zod';

/** Fewer than a series has samples: what is shown is their mean in equal stretches of the axis. */
const values = z.array(z.number().nullable());
const span = { fromMs: z.number().describe('Unix time'), toMs: z.number() };

export const seriesAnswer = z.object({
  name: z.string(),
  unit: z.string(),
  kind: z.string().describe('gauge or counter'),
  min: z.number(),
  mean: z.number(),
  max: z.number(),
  p95: z
    .number()
    .describe('not exceeded for 95 % of the time; of five-minute means where there are no samples'),
  first: z.number(),
  last: z.number(),
  change: z.number().nullable().describe('mean of the last fifth less that of the first'),
  increase: z.number().nullable().describe('of a counter'),
  points: values.describe('mean of each column; null: a gap'),
  missingNow: z.string().optional().describe('why it has ended, where the other series have not'),
});
export type SeriesAnswer = z.output<typeof seriesAnswer>;

/** One error, or repeats of one as one; number, time and message are those of the newest. */
export const timelineEvent = z.object({
  number: z.int(),
  count: z.int().default(1), // an older agent tells each by itself
  firstAtMs: z.number().nullable().default(null),
  atMs: z.number().nullable(),
  kind: z.string(),
  code: z.number().nullable(),
  name: z.string(),
  severity: z.string(),
  origin: z.string().describe('kernel, or userSpace: a program wrote it, and it proves nothing'),
  message: z.string(),
  pciSlot: z.string().nullable().default(null),
});
export type TimelineEvent = z.output<typeof timelineEvent>;

export const gpuTimeline = z.object({
  index: z.int().nullable().describe('null: of a GPU that is not there now'),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  pciAddress: z.string().nullable(),
  trouble: z
    .string()
    .nullable()
    .describe('lost, hung, vanished, notThereNow, or notNamed: there may be one that cannot say who it is'),
  /** What is covered: from the first sample in the window on. Null where there is none. */
  covered: z.object({ ...span, coveredMs: z.number(), samples: z.int() }).nullable(),
  resolution: z.string().describe('samples, bins (of five minutes) or both: bins where there are no samples'),
  columnMs: z.number(),
  numbering: z.string(),
  rows: values.describe('the newest row in each column'),
  newestRow: z.number(),
  series: z.array(seriesAnswer),
  missing: z.record(z.string(), z.string()).describe('series → why it has no value'),
  gaps: z.array(z.object({ ...span, lostMs: z.number(), why: z.string() })),
  crossings: z.array(
    z.object({
      ...span,
      what: z.string(),
      series: z.string(),
      threshold: z.number(),
      unit: z.string(),
      peak: z.number(),
      exact: z.boolean(),
      harmless: z.boolean(),
    }),
  ),
  unchecked: z.record(z.string(), z.string()).describe('threshold → why it is not known'),
  throttles: z.array(z.object({ ...span, reason: z.string(), heldMs: z.number(), slowdown: z.boolean() })),
  heldMs: z.record(z.string(), z.number()).describe('reason for the clocks → for how long in all'),
  slowed: z.array(z.boolean()).describe('columns in which heat or hardware slowed the GPU down'),
  errors: z.record(z.string(), z.number()).describe('error counters that have grown, and by how much'),
  /** Of many the newest and the worst. */
  events: z.array(timelineEvent),
  /** Absent from an older agent. */
  happened: z
    .array(z.boolean())
    .optional()
    .describe('columns in which events happened, the omitted included'),
  clockJumps: z.array(z.object({ atMs: z.number(), byMs: z.number() })),
  omitted: z.record(z.string(), z.int()).describe('how many of a list were left out'),
});
export type GpuTimeline = z.output<typeof gpuTimeline>;
