import { runInNewContext } from 'node:vm';

import picomatch from 'picomatch';

import { Fault } from '../../core/fault.ts';

/** Numbers and ranges, as our own answers fold names: `[1-12]`, `[8-9,11]`, `[007-012]`. */
const foldedNumbers = /\[(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]/g;
/** As long as a part of a node's name can be. */
const maxDigits = 63;
/** Each of those is one of these while picomatch reads the rest, which escapes it; no name of a node contains them. */
const placeholders = /\\?([\uE000-\uF8FF])/g;
const firstPlaceholder = 0xe000;
/** More than a list of names that an answer folds (1500). picomatch throws at 65,536. */
const maxCharacters = 4000;
/** Far more than a thousand names need. Stars, braces and groups can be written so that one name takes years. */
const patienceMs = 500;

/**
 * Matches by patterns that anyone may have made up. Nothing else runs meanwhile, not even the end of the bridge, so it is
 * broken off from outside.
 *
 * @throws Fault BAD_ARGUMENT when it takes too long
 */
export function inPatience<T>(match: () => T): T {
  try {
    return runInNewContext('match()', { match }, { timeout: patienceMs });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw thrown;
    throw new Fault(
      'nodes: a pattern of them takes too long to match; write it with fewer stars and braces',
      {
        code: 'BAD_ARGUMENT',
        cause: thrown,
      },
    );
  }
}

/**
 * What a pattern matches: a glob, in which a bracket of numbers means numbers. A glob's own `[1-12]` would be one digit
 * from 1 to 1, or 2; and who copies `gpu-[1-12]` from an answer means twelve nodes.
 */
export function matcherOf(pattern: string): (name: string) => boolean {
  if (pattern.length > maxCharacters) return () => false;
  const numbers: string[] = [];
  const glob = pattern.replace(foldedNumbers, (_, inside: string) => {
    numbers.push(anyOf(inside.split(',').map((part) => rangeOf(part.split('-')))));
    return String.fromCharCode(firstPlaceholder + numbers.length - 1);
  });
  const { source } = picomatch.makeRe(glob, { expandRange, noextglob: true });
  const matches = new RegExp(
    source.replace(placeholders, (all, at: string) => numbers[at.charCodeAt(0) - firstPlaceholder] ?? all),
  );
  return (name) => name === pattern || matches.test(name);
}

/** `gpu-{8..11}`: picomatch leaves to us what that means, and would else make a class of characters of it. */
function expandRange(...given: unknown[]): string {
  const ends = given.filter((each) => typeof each === 'string');
  const areNumbers = ends.length === 2 && ends.every((end) => /^\d+$/.test(end));
  return areNumbers ? rangeOf(ends) : `[${ends.slice(0, 2).sort().join('-')}]`;
}

function rangeOf([first = '', last = first]: readonly string[]): string {
  if (last.length > maxDigits || BigInt(first) > BigInt(last)) return '(?!)';
  const widths = Array.from({ length: last.length - first.length + 1 }, (_, more) => first.length + more);
  return anyOf(
    widths.map((width) => {
      const least = width === first.length ? first : `1${'0'.repeat(width - 1)}`;
      return ofOneWidth(least, width === last.length ? last : '9'.repeat(width));
    }),
  );
}

/** `008` to `120`: the numbers between, written with as many digits. */
function ofOneWidth(least: string, most: string): string {
  if (least === most) return least;
  if (/^0+$/.test(least) && /^9+$/.test(most)) return '[0-9]'.repeat(least.length); // else each digit would double it
  const [from = '', to = ''] = [least.slice(0, 1), most.slice(0, 1)];
  const [low, high] = [least.slice(1), most.slice(1)];
  if (from === to) return from + ofOneWidth(low, high);
  const between = Number(to) - Number(from) > 1 ? [`[${Number(from) + 1}-${Number(to) - 1}]`] : [];
  return anyOf([
    from + ofOneWidth(low, '9'.repeat(low.length)),
    ...between.map((digit) => digit + '[0-9]'.repeat(low.length)),
    to + ofOneWidth('0'.repeat(high.length), high),
  ]);
}

function anyOf(alternatives: readonly string[]): string {
  return `(?:${alternatives.join('|')})`;
}
