import { z } from 'zod';

import {
  type ClocksEventReason,
  clocksEventReasonBits,
  type GpuReadings,
  type RecoveryAction,
  recoveryActions,
} from '../core/gpu.ts';
import { missingForCode } from '../core/nvml-return.ts';
import type { Missing, Reading } from '../core/reading.ts';
import { wording } from './wording.ts';

type Value<Name extends keyof GpuReadings> = Extract<GpuReadings[Name], { value: unknown }>['value'];

const missingWords = [
  'notSupported',
  'notSupportedByDriver',
  'noPermission',
  'notReady',
  'gpuLost',
  'resetRequired',
  'driverUnavailable',
] as const satisfies readonly Missing[];

const count = z.int().min(0);
const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must be one line of text');
const temperature = z.int().min(0).max(255);
const percent = z.int().min(0).max(100);
const clock = z.int().min(0).max(10_000);
/** NVML counts in milliwatts and millijoules. */
const thousandths = (most: number) =>
  z
    .number()
    .min(0)
    .max(most)
    .transform((value) => Math.round(value * 1000) / 1000);
const watts = thousandths(100_000);
const joules = thousandths(1e12);
const mode = z.strictObject({ current: z.boolean(), pending: z.boolean() });
const bytes = z.int().min(0);

const reasonNames = Object.keys(clocksEventReasonBits) as ClocksEventReason[];

/** What each reading can be in a scenario: what the driver could say, in the units of GpuReadings. */
const values: { readonly [Name in keyof GpuReadings]: z.ZodType<Value<Name>> } = {
  name: text(95),
  uuid: text(95),
  serial: text(29),
  pciAddress: z
    .string()
    .regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.0$/, 'must be like 0000:3b:00.0, in lower case'),
  minorNumber: count,
  memory: z
    .strictObject({ totalBytes: bytes, reservedBytes: bytes, usedBytes: bytes, freeBytes: bytes })
    .refine((m) => m.totalBytes === m.reservedBytes + m.usedBytes + m.freeBytes, {
      error: 'totalBytes must be the sum of the other three',
    }),
  utilization: z.strictObject({ gpuPercent: percent, memoryPercent: percent }),
  encoderPercent: percent,
  decoderPercent: percent,
  temperatureC: temperature,
  memoryTemperatureC: temperature,
  slowdownTemperatureC: temperature,
  shutdownTemperatureC: temperature,
  powerWatts: watts,
  powerLimitWatts: watts,
  defaultPowerLimitWatts: watts,
  powerLimitRange: z.strictObject({ minWatts: watts, maxWatts: watts }),
  energyJoules: joules,
  graphicsClockMhz: clock,
  smClockMhz: clock,
  memoryClockMhz: clock,
  clocksEventReasons: z
    .array(z.enum(reasonNames))
    .transform((reasons) => reasonNames.filter((reason) => reasons.includes(reason))),
  performanceState: z.int().min(0).max(15),
  eccMode: mode,
  eccCorrectedVolatile: count,
  eccUncorrectedVolatile: count,
  eccCorrectedAggregate: count,
  eccUncorrectedAggregate: count,
  remappedRows: z.strictObject({
    correctable: count,
    uncorrectable: count,
    pending: z.boolean(),
    failed: z.boolean(),
  }),
  retiredPagesPending: z.boolean(),
  recoveryAction: z.custom<RecoveryAction>(
    isRecoveryAction,
    `must be ${recoveryActions.join(', ')}, or unknown6 and up`,
  ),
  pcieReplays: count,
  migMode: mode,
  persistenceMode: z.boolean(),
};

const orElse = `or null for the model's value, or why it is missing: ${missingWords.join(', ')}`;

type Settable = z.ZodOptional<z.ZodType<Reading<unknown> | null>>;

/** The members of `set`: `{temperatureC: 95, remappedRows: notSupported, powerWatts: null}`; null: the model's value. */
export const settableReadings = Object.fromEntries(
  Object.entries(values).map(([name, schema]) => [name, settable(schema)]),
) as { readonly [Name in keyof GpuReadings]: Settable };

function settable(schema: z.ZodType): Settable {
  const value = z.unknown().transform((given, context): Reading<unknown> | null => {
    if (given === null) return null;
    if (isMissing(given)) return { missing: given };
    const parsed = schema.safeParse(given, { error: wording, reportInput: true });
    if (parsed.success) return { value: parsed.data };
    for (const issue of parsed.error.issues) context.addIssue({ ...issue, message: withOthers(issue) });
    return z.NEVER;
  });
  return value.optional();
}

/** Says what else a reading can be, where all of it is wrong and not a member. */
function withOthers({ path, message }: z.core.$ZodIssue): string {
  return path.length > 0 ? message : `${message}; ${orElse}`;
}

/** A word of ours, or the code of nvml.h where it has none: `nvmlReturn15` is `gpuLost`. */
function isMissing(given: unknown): given is Missing {
  if (missingWords.some((word) => word === given)) return true;
  const [, code] = typeof given === 'string' ? (/^nvmlReturn(\d{1,3})$/.exec(given) ?? []) : [];
  return code !== undefined && Number(code) > 0 && missingForCode(Number(code)) === given;
}

function isRecoveryAction(given: unknown): boolean {
  if (recoveryActions.some((action) => action === given)) return true;
  const [, code] = typeof given === 'string' ? (/^unknown([1-9]\d*)$/.exec(given) ?? []) : [];
  return code !== undefined && Number(code) >= recoveryActions.length;
}
