import { badFlag } from './command-line.ts';

/** One rung: it must end well before the next, or both end at once and nobody gets an answer. */
export type Rung = readonly [name: string, ms: number];

/**
 * Checks that each wait ends before the one around it.
 *
 * @throws Fault BAD_FLAG naming the two rungs; equal values are refused, since then it is chance which ends first
 */
export function checkLadder(rungs: readonly Rung[]): void {
  for (const [index, [outer, outerMs]] of rungs.entries()) {
    const inner = rungs[index - 1];
    if (inner && inner[1] >= outerMs)
      throw badFlag(`${outer} (${outerMs} ms) must be longer than ${inner[0]} (${inner[1]} ms)`);
  }
}
