import type { z } from 'zod';

/** zod's issues in our words: what is allowed, and what was found. undefined leaves zod's own, which say it well. */
export const wording: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing; it must be ${article(issue.expected)}`
        : `must be ${article(issue.expected)}, not ${found(issue.input)}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}, not ${found(issue.input)}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${ofWhat(issue.origin)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${ofWhat(issue.origin)}`;
    default:
      return undefined;
  }
};

const kinds: Readonly<Record<string, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'text',
  int: 'a whole number',
  boolean: 'true or false',
};

function article(expected: string): string {
  return kinds[expected] ?? `a ${expected}`;
}

function ofWhat(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' entries long' : '';
}

function found(input: unknown): string {
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object' && input !== null) return 'a mapping';
  return JSON.stringify(input) ?? String(input);
}
