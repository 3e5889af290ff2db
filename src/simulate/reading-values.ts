import { z } from 'zod';

import type { GpuReadings } from '../core/gpu.ts';
import { missingForCode } from '../core/nvml-return.ts';
import type { Missing, Reading } from '../core/reading.ts';
import { readingSchemas } from './reading-schemas.ts';
import { wording } from './wording.ts';

const missingWords = [
  'notSupported',
  'notSupportedByDriver',
  'noPermission',
  'notReady',
  'gpuLost',
  'resetRequired',
  'driverUnavailable',
] as const satisfies readonly Missing[];

const orElse = `or null for the model's value, or why it is missing: ${missingWords.join(', ')}`;

type Settable = z.ZodOptional<z.ZodType<Reading<unknown> | null>>;

/** The members of `set`: `{temperatureC: 95, remappedRows: notSupported, powerWatts: null}`; null: the model's value. */
export const settableReadings = Object.fromEntries(
  Object.entries(readingSchemas).map(([name, schema]) => [name, settable(schema)]),
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
