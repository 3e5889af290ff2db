import { z } from 'zod';

import { Fault } from '../core/fault.ts';
import { didYouMean } from '../core/similar.ts';
import { plainText } from '../core/words.ts';

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
  const parsed = schema.safeParse(given ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = Object.keys(schema.shape);
  const problems = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${issue.keys.map((key) => unknown(key, known)).join(', ')}; there are ${known.join(', ')}`
      : `${issue.path.join('.') || 'arguments'}: ${problem(issue)}`,
  );
  throw new Fault(problems.join('; '), { code: 'BAD_ARGUMENT' });
}

function unknown(key: string, known: readonly string[]): string {
  return `unknown argument "${plainText(key, 64)}"${didYouMean(key, known)}`;
}

/** In words that hold on a command line and in JSON alike. */
function problem(issue: z.core.$ZodIssue): string {
  const given = plainText(JSON.stringify(issue.input) ?? 'nothing', 64);
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    const near = typeof issue.input === 'string' ? didYouMean(issue.input, allowed) : '';
    return `${given} is not possible${near}; allowed is ${allowed.join(' or ')}`;
  }
  if (issue.code === 'too_small' && issue.origin !== 'number')
    return 'it is empty; leave it out to ask for all';
  if (issue.code === 'too_small') return `${given} is too small; allowed is ${issue.minimum} or more`;
  if (issue.code === 'too_big') return `${given} is too big; allowed is ${issue.maximum} or less`;
  const takes = issue.code === 'custom' ? issue.message : `it takes ${expected(issue)}`;
  return `${given} is not possible; ${takes}`;
}

function expected(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') return [...new Set(issue.errors.flat().map(expected))].join(' or ');
  const kind = issue.code === 'invalid_type' ? issue.expected : '';
  const words: Readonly<Record<string, string>> = {
    array: 'a list, as in ["gpu-1", "gpu-2"]',
    int: 'a whole number',
    number: 'a whole number',
    string: 'text',
    object: 'an object',
    boolean: 'true or false',
  };
  return words[kind] ?? 'another value';
}
