import { expect, test } from 'vitest';

import { byName, foldNames, splitNames } from '../../src/core/names.ts';
import { random } from '../support/answers.ts';

test('numbers in names are ordered by value', () => {
  const names = ['gpu-10', 'gpu-2', 'gpu-1', 'cpu', 'gpu-2a'];

  expect(names.sort(byName)).toEqual(['cpu', 'gpu-1', 'gpu-2', 'gpu-2a', 'gpu-10']);
});

test.for([
  [[], ''],
  [['cpu'], 'cpu'],
  [['gpu-3', 'gpu-1', 'cpu', 'gpu-2'], 'cpu,gpu-[1-3]'],
  [['gpu-0', 'gpu-1', 'gpu-2'], 'gpu-[0-2]'],
  [['gpu-1', 'gpu-3', 'gpu-4', 'gpu-9'], 'gpu-[1,3-4,9]'],
  [['gpu-1', 'gpu-1'], 'gpu-1'],
  [['gpu-01', 'gpu-02', 'gpu-1'], 'gpu-1,gpu-[01-02]'],
  [['gpu-09', 'gpu-10'], 'gpu-09,gpu-10'],
  [['a1.zone-1.example.com', 'a2.zone-1.example.com'], 'a[1-2].zone-1.example.com'],
  [['a1.zone-1.example.com', 'a1.zone-2.example.com'], 'a1.zone-1.example.com,a1.zone-2.example.com'],
  [['ip-10-0-1-7.ec2.internal', 'ip-10-0-1-8.ec2.internal'], 'ip-10-0-1-[7-8].ec2.internal'],
  [['pool-7f9-x2b', 'pool-7f9-x3b'], 'pool-7f9-x[2-3]b'],
] as const)('%j folds to %s', ([names, folded]) => {
  expect(foldNames(names).split(',').sort()).toEqual(folded.split(',').sort());
});

test('folding loses no name and invents none', () => {
  const next = random(7);
  const names = Array.from(
    { length: 400 },
    () => `${next() < 0.5 ? 'gpu-' : 'a'}${Math.floor(next() * 300)}`,
  );

  const folded = foldNames(names, 100_000);

  expect(unfold(folded).sort()).toEqual([...new Set(names)].sort());
});

test('what does not fit is counted, so that shown and counted add up', () => {
  const names = Array.from(
    { length: 1000 },
    (_, at) => `gpu-${at % 2 === 0 ? 'a' : 'b'}${at}-${'x'.repeat(at % 7)}`,
  );

  const folded = foldNames(names, 300);

  const [shown = '', more] = folded.split(' … and ');
  expect(folded.length).toBeLessThan(330);
  expect(unfold(shown).length + Number.parseInt(more ?? '', 10)).toBe(1000);
});

test('numbers too long for a float lose no name either', () => {
  const names = ['a-9007199254740992', 'a-9007199254740993', 'a-9007199254740995'];

  expect(foldNames(names)).toBe('a-[9007199254740992-9007199254740993,9007199254740995]');
});

test.for([
  ['a,b', ['a', 'b']],
  ['cpu, gpu-[1,3-4].zone ,x', ['cpu', 'gpu-[1,3-4].zone', 'x']],
  ['gpu-{1,10},a', ['gpu-{1,10}', 'a']],
  ['@(a,b),c', ['@(a,b)', 'c']],
  ['a,,b,', ['a', 'b']],
  ['', ['']],
] as const)('a list %j is %j: commas inside of brackets are the pattern’s own', ([list, names]) => {
  expect(splitNames(list)).toEqual(names);
});

/** `gpu-[1-3,5],a2` → every name. */
function unfold(folded: string): string[] {
  const patterns = folded.match(/(?:[^,[]|\[[^\]]*\])+/g) ?? [];
  return patterns.flatMap((pattern) => {
    const [, prefix = '', ranges, suffix = ''] = /^(.*)\[(.*)\](.*)$/.exec(pattern) ?? [];
    if (ranges === undefined) return [pattern];
    return ranges.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => `${prefix}${first + at}${suffix}`);
    });
  });
}
