import { z } from 'zod';

import { modelNames } from './models.ts';
import { settableReadings } from './reading-values.ts';
import { driverSymbols, everyCall, gpuSymbols } from './symbols.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1000;
/** So that each has a PCI bus of its own: see model-readings.ts. */
const MOST_GPUS = 32;

/** Refuses members that it does not know, and says which ones there are. */
function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `allowed: ${Object.keys(shape).join(', ')}` : undefined,
  });
}

/** Seconds, or '90s', '5m', '1h30m'; read as ms. */
const at = z.unknown().transform((given, context) => {
  const ms = typeof given === 'number' ? given * SECOND_MS : durationMs(given);
  if (ms !== null && Number.isFinite(ms) && ms >= 0) return Math.round(ms);
  const found = given === undefined ? 'is missing; it' : `${JSON.stringify(given)} is not a time: it`;
  context.addIssue({
    code: 'custom',
    message: `${found} must be seconds since the agent's start (90), or text like 90s, 5m, 1h30m`,
  });
  return z.NEVER;
});

function durationMs(given: unknown): number | null {
  if (typeof given !== 'string' || given === '') return null;
  const parts = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(given);
  if (!parts) return null;
  const [, hours = 0, minutes = 0, seconds = 0] = parts;
  return Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS + Number(seconds) * SECOND_MS;
}

const nodeName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a node name: lower case letters, digits, - and .');

const version = (form: RegExp, example: string) =>
  z.string({ error: `must be text in quotes, like '${example}'` }).regex(form, `must be like '${example}'`);

const node = mapping({
  name: nodeName,
  driver: version(/^\d{3}\.\d{1,3}(\.\d{1,3})?$/, '580.126.20').default('580.126.20'),
  cuda: version(/^\d{1,2}\.\d$/, '13.0').default('13.0'),
  gpus: z
    .array(mapping({ model: z.enum(modelNames), count: z.int().min(1).max(MOST_GPUS) }))
    .refine((gpus) => gpus.reduce((sum, { count }) => sum + count, 0) <= MOST_GPUS, {
      error: `must be ${MOST_GPUS} GPUs at most, all counts together`,
    }),
});

const code = z.int().min(0).max(999);
const symbols = [everyCall, ...gpuSymbols, ...driverSymbols];

const entry = mapping({
  at,
  node: nodeName.optional(),
  gpu: z.int().min(0).optional(),
  set: mapping(settableReadings).optional(),
  returns: mapping(Object.fromEntries(symbols.map((symbol) => [symbol, code.optional()]))).optional(),
  hang: z.boolean().optional(),
}).check(({ value, issues }) => {
  const kinds = (['set', 'returns', 'hang'] as const).filter((kind) => value[kind] !== undefined);
  if (kinds.length === 1) return;
  const has = kinds.length === 0 ? 'none of them' : kinds.join(' and ');
  issues.push({
    code: 'custom',
    message: `must have exactly one of set, returns, hang; it has ${has}`,
    input: value,
  });
});

/** The form of a scenario file, as docs/scenario.md describes it. Times come out in ms. */
export const scenarioFile = mapping({
  nodes: z.array(node).min(1),
  timeline: z.array(entry).default([]),
  kernelLog: z.array(mapping({ at, node: nodeName, line: z.string().min(1) })).default([]),
  kubernetes: z.array(z.looseObject({ apiVersion: z.string(), kind: z.string() })).default([]),
});

export type ScenarioFile = z.output<typeof scenarioFile>;
