import { z } from 'zod';

import type { Fault } from '../../core/fault.ts';
import { foldNames } from '../../core/names.ts';
import { count, duration } from '../../core/words.ts';

/** What stands around every answer of the bridge: who was asked, who answered, and why the others did not. */
export const envelope = z.object({
  status: z.enum(['success', 'partial', 'error']),
  requestId: z.string(),
  durationMs: z.number(),
  nodesTotal: z.int().nullable().describe('GPU nodes in question; null where nodes may not be listed'),
  answered: z.int(),
  failed: z.array(
    z.object({
      node: z.string(),
      code: z.string(),
      message: z.string(),
      hint: z.string(),
      lastTriedAt: z.string().describe('ISO 8601'),
    }),
  ),
  withoutAgent: z.array(z.object({ node: z.string(), why: z.string() })),
});
export type Envelope = z.output<typeof envelope>;
export type FailedNode = Envelope['failed'][number];

export function failedNode(node: string, { code, message, hint }: Fault, triedAt: Date): FailedNode {
  return { node, code, message, hint, lastTriedAt: triedAt.toISOString() };
}

/** Silence is never success: `partial` as soon as one GPU node did not answer, `error` when none did. */
export function statusOf(answered: number, silent: number): Envelope['status'] {
  if (answered === 0) return 'error';
  return silent === 0 ? 'success' : 'partial';
}

/** The lines that stand before every answer. Nodes that failed alike are named together. */
export function envelopeText(
  { status, requestId, durationMs, nodesTotal, answered, failed, withoutAgent }: Envelope,
  notes: readonly string[],
  now = new Date(),
): string[] {
  const total =
    nodesTotal === null
      ? `${count(answered, 'node')} answered; whether that is all cannot be told, since nodes may not be listed`
      : `${answered} of ${count(nodesTotal, 'GPU node')} answered`;
  return [
    `${status}: ${total} (request ${requestId}, ${duration(durationMs)}).`,
    ...notes.map((note) => `Note: ${note}.`),
    ...failureLines(failed, now),
    ...groupBy(withoutAgent, ({ why }) => why).map(
      ([why, nodes]) => `NO AGENT on ${foldNames(nodes.map(({ node }) => node))}: ${why}.`,
    ),
  ];
}

/** Beyond this, nodes that failed with one code are named together, whatever each had to say. */
const maxFailureCharacters = 5000;

function failureLines(failed: readonly FailedNode[], now: Date): string[] {
  const alike = groupBy(failed, ({ code, message, hint }) => JSON.stringify([code, message, hint]));
  const lines = alike.flatMap(([, nodes]) => failureLine(nodes, now));
  if (lines.join('').length <= maxFailureCharacters) return lines;
  return groupBy(failed, ({ code }) => code).flatMap(([, nodes]) => failureLine(nodes, now));
}

function failureLine(nodes: readonly FailedNode[], now: Date): string[] {
  const [first] = nodes;
  if (!first) return [];
  const oldestMs = Math.max(...nodes.map(({ lastTriedAt }) => now.getTime() - Date.parse(lastTriedAt)));
  const tried = oldestMs < 1000 ? '' : ` (last tried ${duration(oldestMs)} ago)`;
  const others = nodes.some(({ message }) => message !== first.message) ? ' (for example)' : '';
  const names = foldNames(nodes.map(({ node }) => node));
  return [`NO ANSWER from ${names}: ${first.code}: ${first.message}${others}${tried}. ${first.hint}`];
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): [string, Item[]][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups];
}
