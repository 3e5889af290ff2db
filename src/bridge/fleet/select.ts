import { Fault } from '../../core/fault.ts';
import { foldNames, splitNames } from '../../core/names.ts';
import { plainText } from '../../core/words.ts';
import { inPatience, matcherOf } from './pattern.ts';

/** The word that stands for one healthy node, another one each time. */
const any = 'any';

/**
 * The names that a call's `nodes` means: names, globs, and what our answers fold names to, a whole list of it too.
 *
 * @param all every GPU node, with or without an agent, by name
 * @param healthy those of them that answered when last asked
 * @param turn how often `any` was asked before
 * @throws Fault NODE_NOT_FOUND naming what matched nothing, and what there is; BAD_ARGUMENT for `any` beside others, and for a
 *   pattern that takes too long
 */
export function selectNodes(
  wanted: readonly string[] | undefined,
  all: readonly string[],
  { healthy, turn }: { healthy: readonly string[]; turn: number },
): ReadonlySet<string> {
  if (wanted === undefined) return new Set(all);
  const patterns = wanted.flatMap((each) => (all.includes(each) ? [each] : splitNames(each)));
  if (patterns.includes(any)) {
    if (patterns.length === 1) return oneOf(healthy.length > 0 ? healthy : all, turn);
    throw new Fault('nodes: "any" stands for one healthy node, and goes with no other name', {
      code: 'BAD_ARGUMENT',
    });
  }
  const found = inPatience(() =>
    patterns.map((pattern) => ({ pattern, names: all.filter(matcherOf(pattern)) })),
  );
  const unmatched = found.filter(({ names }) => names.length === 0).map(({ pattern }) => pattern);
  if (unmatched.length === 0) return new Set(found.flatMap(({ names }) => names));
  const given = plainText(unmatched.join(', '));
  throw new Fault(`no GPU node matches ${given}; there are ${foldNames(all) || 'none'}`, {
    code: 'NODE_NOT_FOUND',
  });
}

function oneOf(names: readonly string[], turn: number): ReadonlySet<string> {
  const chosen = names[turn % names.length];
  return new Set(chosen === undefined ? [] : [chosen]);
}
