import { z } from 'zod';

import { duration } from '../core/words.ts';
import type { Answer } from './tool.ts';

/** Wire form of a NodeClock. */
export const nodeClock = z.object({
  wallTime: z.iso.datetime(),
  monotonicMs: z.number(),
  bootId: z.string().max(64).nullable(),
});
const placed = nodeClock.extend({ node: z.string() });
export type Clock = z.output<typeof placed>;

/** With more nodes they would be most of the answer. */
const listedAtMost = 64;

/** Of an answer about several nodes. */
export const listedClocks = z
  .array(placed)
  .nullable()
  .describe(`of each node; null where more than ${listedAtMost} answered: name some in \`nodes\``);

const told = z.object({ clock: nodeClock });

/** Those of the nodes that told theirs: an agent of an older version does not. */
export function clocksOf(answers: readonly Answer<unknown>[]): Clock[] {
  return answers.flatMap(({ node, value }) => {
    const { data } = told.safeParse(value);
    return data ? [{ node, ...data.clock }] : [];
  });
}

export function listed(clocks: readonly Clock[]): z.output<typeof listedClocks> {
  return clocks.length > listedAtMost ? null : [...clocks];
}

/**
 * `The node's clock shows 2026-11-27T12:40:01.123Z, 3 h after boot a1b2….`; of several nodes what most of them show,
 * and which ones are off by more than the time in which they were asked.
 */
export function clocksText(clocks: readonly Clock[], askedForMs: number): string[] {
  const [one] = clocks;
  if (one === undefined) return [];
  if (clocks.length === 1) {
    const boot = one.bootId === null ? 'its boot' : `boot ${one.bootId}`;
    return [`The node's clock shows ${one.wallTime}, ${duration(one.monotonicMs)} after ${boot}.`];
  }
  const shown = clocks.map(({ node, wallTime }) => ({ node, wallTime, atMs: Date.parse(wallTime) }));
  const middle = [...shown].sort((a, b) => a.atMs - b.atMs)[Math.floor(shown.length / 2)] ?? one;
  const odd = shown
    .map(({ node, atMs }) => ({ node, aheadMs: atMs - Date.parse(middle.wallTime) }))
    .filter(({ aheadMs }) => Math.abs(aheadMs) > askedForMs + 1000);
  return [`The nodes' clocks show ${middle.wallTime}${odd.length > 0 ? `, but for ${oddText(odd)}` : ''}.`];
}

function oddText(odd: readonly { readonly node: string; readonly aheadMs: number }[]): string {
  const some = odd.slice(0, 10).map(({ node, aheadMs }) => {
    return `${node} (${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'})`;
  });
  const more = odd.length > some.length ? ` and ${odd.length - some.length} more` : '';
  return `${some.join(', ')}${more}`;
}
