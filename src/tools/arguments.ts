import { z } from 'zod';

import { Fault } from '../core/fault.ts';

/** What every tool takes on a node. */
export const commonArguments = {
  gpu: z
    .union([z.string().min(1), z.int().nonnegative()])
    .optional()
    .describe('one GPU only: its index, UUID or PCI address'),
  detail: z
    .enum(['summary', 'full'])
    .default('summary')
    .describe('summary: outliers first, equals grouped; full: every GPU with every value'),
  limit: z.int().min(1).max(1000).optional().describe('rows at most'),
};

/** What the bridge takes besides. */
export const fleetArguments = {
  nodes: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'node names, globs such as gpu-*, or patterns as answers print them (gpu-[1-12]), or ["any"] for one healthy node; default: all',
    ),
  cursor: z.string().optional().describe('from the last line of the answer before: continues there'),
};

/** Checked by a strict schema; one sentence names the argument that is wrong and what is allowed. */
export function parseArguments<Schema extends z.ZodObject>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape).join(', ');
  const problems = parsed.error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys')
      return `unknown argument ${issue.keys.map((key) => `"${key}"`).join(', ')}; there are ${known}`;
    return `${issue.path.join('.') || 'arguments'}: ${issue.message}`;
  });
  throw new Fault(problems.join('; '), { code: 'BAD_ARGUMENT' });
}
