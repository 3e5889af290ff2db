import picomatch from 'picomatch';

import { Fault } from '../../core/fault.ts';
import { foldNames } from '../../core/names.ts';

/** The word that stands for one healthy node, another one each time. */
const any = 'any';

/**
 * The names that a call's `nodes` means.
 *
 * @param all every GPU node, with or without an agent, by name
 * @param healthy those of them that answered when last asked
 * @param turn how often `any` was asked before
 * @throws Fault NODE_NOT_FOUND naming what matched nothing, and what there is
 */
export function selectNodes(
  wanted: readonly string[] | undefined,
  all: readonly string[],
  { healthy, turn }: { healthy: readonly string[]; turn: number },
): ReadonlySet<string> {
  if (wanted === undefined) return new Set(all);
  if (wanted.includes(any)) return oneOf(healthy.length > 0 ? healthy : all, turn);
  const found = wanted.map((pattern) => {
    const matches = picomatch(pattern);
    return { pattern, names: all.filter((name) => name === pattern || matches(name)) };
  });
  const unmatched = found.filter(({ names }) => names.length === 0).map(({ pattern }) => pattern);
  if (unmatched.length === 0) return new Set(found.flatMap(({ names }) => names));
  throw new Fault(`no GPU node matches ${unmatched.join(', ')}; there are ${foldNames(all) || 'none'}`, {
    code: 'NODE_NOT_FOUND',
  });
}

function oneOf(names: readonly string[], turn: number): ReadonlySet<string> {
  const chosen = names[turn % names.length];
  return new Set(chosen === undefined ? [] : [chosen]);
}
