import { z } from 'zod';

import type { Fault } from '../../core/fault.ts';
import { groupBy } from '../../core/group-by.ts';
import { foldNames } from '../../core/names.ts';
import { count, duration, sentence } from '../../core/words.ts';
import { listedClocks } from '../../tools/clocks.ts';

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
  clocks: listedClocks,
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

/**
 * The lines that stand before every answer. Nodes that failed alike are named together.
 *
 * @param named the call named its nodes, so that the total is not that of the cluster
 */
export function envelopeText(
  { status, requestId, durationMs, nodesTotal, answered, failed, withoutAgent }: Envelope,
  { notes, named }: { notes: readonly string[]; named: boolean },
  now = new Date(),
): string[] {
  const total =
    nodesTotal === null
      ? `${count(answered, 'node')} answered; whether that is all cannot be told, since nodes may not be listed`
      : `${answered} of ${count(nodesTotal, named ? 'node' : 'GPU node')} ${named ? 'asked ' : ''}answered`;
  return [
    `${status}: ${total} (request ${requestId}, ${duration(durationMs)}).`,
    ...notes.map((note) => `Note: ${sentence(note)}`),
    ...failureLines(failed, durationMs, now),
    ...agentlessLines(withoutAgent),
  ];
}

/** Beyond this, nodes that failed with one code are named together, whatever each had to say; so are those without agent. */
const maxSilenceCharacters = 5000;
/** The names of nodes that stand together for want of room. */
const maxNameCharacters = 500;

function failureLines(failed: readonly FailedNode[], durationMs: number, now: Date): string[] {
  const alike = [...groupBy(failed, ({ code, message, hint }) => JSON.stringify([code, message, hint]))];
  const lines = alike.flatMap(([, nodes]) => failureLine(nodes, durationMs, now));
  if (lines.join('').length <= maxSilenceCharacters) return lines;
  return [...groupBy(failed, ({ code }) => code)].flatMap(([, nodes]) =>
    failureLine(nodes, durationMs, now, maxNameCharacters),
  );
}

function agentlessLines(withoutAgent: Envelope['withoutAgent']): string[] {
  const line = (nodes: readonly Envelope['withoutAgent'][number][], why: string, maxCharacters?: number) =>
    `NO AGENT on ${foldNames(
      nodes.map(({ node }) => node),
      maxCharacters,
    )}: ${sentence(why)}`;
  const alike = [...groupBy(withoutAgent, ({ why }) => why)];
  const lines = alike.map(([why, nodes]) => line(nodes, why));
  if (lines.join('').length <= maxSilenceCharacters) return lines;
  const [most] = alike.sort(([, a], [, b]) => b.length - a.length);
  const others = `${alike.length - 1} other reasons; name a node in \`nodes\` to see its own`;
  return [
    line(withoutAgent, `${most?.[0]} (on ${most?.[1].length} of them); ${others}`, maxSilenceCharacters / 2),
  ];
}

function failureLine(
  nodes: readonly FailedNode[],
  durationMs: number,
  now: Date,
  maxCharacters?: number,
): string[] {
  const [first] = nodes;
  if (!first) return [];
  const oldestMs = Math.max(...nodes.map(({ lastTriedAt }) => now.getTime() - Date.parse(lastTriedAt)));
  const before = oldestMs > durationMs + 1000; // in an earlier call, or by a probe: this call did not wait for it
  const tried = before ? ` (last tried ${duration(oldestMs)} ago)` : '';
  const others = nodes.some(({ message }) => message !== first.message) ? ' (for example)' : '';
  const names = foldNames(
    nodes.map(({ node }) => node),
    maxCharacters,
  );
  const what = sentence(
    `${others || tried ? first.message.replace(/\.$/, '') : first.message}${others}${tried}`,
  );
  return [`NO ANSWER from ${names}: ${first.code}: ${what} ${first.hint}`];
}
