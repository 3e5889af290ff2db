import { expect, test } from 'vitest';

import { selectNodes } from '../../src/bridge/fleet/select.ts';
import { foldNames } from '../../src/core/names.ts';
import { random } from '../support/answers.ts';

const all = ['cpu', 'gpu-1', 'gpu-2', 'gpu-10', 'gpu-a.zone'];
const usual = { healthy: all, turn: 0 };

test.for([
  [undefined, all],
  [['gpu-1'], ['gpu-1']],
  [['gpu-*'], ['gpu-1', 'gpu-2', 'gpu-10', 'gpu-a.zone']],
  [['gpu-?'], ['gpu-1', 'gpu-2']],
  [['gpu-[1-2]'], ['gpu-1', 'gpu-2']],
  [['gpu-[a-z].*'], ['gpu-a.zone']],
  [['gpu-{1,10}'], ['gpu-1', 'gpu-10']],
  [['gpu-{1..3}'], ['gpu-1', 'gpu-2']],
  [
    ['*.zone', 'cpu', 'cpu'],
    ['cpu', 'gpu-a.zone'],
  ],
  [['*'], all],
] as const)('%j means %j', ([wanted, names]) => {
  expect([...selectNodes(wanted, all, usual)].sort()).toEqual([...names].sort());
});

const twelve = Array.from({ length: 12 }, (_, at) => `gpu-${at + 1}`);
const padded = Array.from({ length: 12 }, (_, at) => `n${String(at + 1).padStart(3, '0')}.zone`);
const many = [...twelve, ...padded, 'cpu', 'gpu-13b'];

test.for([
  // Read as a glob, this was one character of 1-1 and 2: two nodes were asked, and none was missed.
  ['gpu-[1-12]', twelve],
  ['gpu-[9-11]', ['gpu-9', 'gpu-10', 'gpu-11']],
  ['gpu-[8-9,11]', ['gpu-8', 'gpu-9', 'gpu-11']],
  ['gpu-[12]', ['gpu-12']],
  ['gpu-1[0-1]', ['gpu-10', 'gpu-11']],
  ['gpu-{9..11}', ['gpu-9', 'gpu-10', 'gpu-11']],
  ['gpu-[12-99]*', ['gpu-12', 'gpu-13b']],
  ['n[007-012].zone', padded.slice(6)],
  ['n[007-012].*', padded.slice(6)],
  ['n00[1-2].[a-z]*', padded.slice(0, 2)],
  ['cpu, gpu-[1-3], n[011-012].zone', ['cpu', 'gpu-1', 'gpu-2', 'gpu-3', 'n011.zone', 'n012.zone']],
] as const)('a bracket of numbers means numbers, as in our answers: %s', ([pattern, names]) => {
  expect([...selectNodes([pattern], many, usual)].sort()).toEqual([...names].sort());
});

test.for(['n[7-12].zone', 'gpu-[001-012]', 'gpu-[3-1]', 'gpu-[]', ','])('%s is none of them', (pattern) => {
  expect(() => selectNodes([pattern], many, usual)).toThrow(
    expect.objectContaining({ code: 'NODE_NOT_FOUND' }),
  );
});

test('what an answer names can be asked as it stands there: folding and selecting are each other’s inverse', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const below = (most: number) => Math.floor(next() * most);
    const name = () => {
      const prefix = ['gpu-', 'a', 'pool-7f9-x', ''][below(4)];
      const number = String(below(10 ** (1 + below(4)))).padStart(below(4), '0');
      return `${prefix}${number}${['', 'b', '.zone-1.example', '-x'][below(4)]}`;
    };
    const all = [...new Set(Array.from({ length: 300 }, name))];
    const some = all.filter(() => next() < 0.6);

    const chosen = selectNodes([foldNames(some, 100_000)], all, usual);

    expect([...chosen].sort(), `seed ${seed}`).toEqual(some.sort());
  }
});

test('"any" beside other names is refused: it would have dropped them in silence', () => {
  for (const wanted of [['any', 'gpu-1'], ['gpu-1,any'], ['any', 'any']])
    expect(() => selectNodes(wanted, all, usual)).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT', message: expect.stringContaining('"any"') }),
    );
});

test('what matches nothing is named, with what there is', () => {
  expect(() => selectNodes(['gpu-1', 'gpu-3', 'tpu-*'], all, usual)).toThrow(
    expect.objectContaining({
      code: 'NODE_NOT_FOUND',
      message: 'no GPU node matches gpu-3, tpu-*; there are cpu,gpu-[1-2,10],gpu-a.zone',
    }),
  );
  expect(() => selectNodes(['gpu-1'], [], { healthy: [], turn: 0 })).toThrow('there are none');
});

test.for([
  ['x'.repeat(300_000), /^no GPU node matches x{300}…; there are cpu/], // it was a defect of ours once: picomatch threw
  ['gpu\u2028-\u001b[2J9', /^no GPU node matches gpu - \[2J9; there are cpu/],
] as const)('what a model made up is told back as text, and not at length', ([made, message]) => {
  expect(() => selectNodes([made], all, usual)).toThrow(
    expect.objectContaining({ code: 'NODE_NOT_FOUND', message: expect.stringMatching(message) }),
  );
});

test('"any" is one healthy node, another one each time, and all in turn', () => {
  const chosen = [0, 1, 2, 3].map((turn) => [
    ...selectNodes(['any'], all, { healthy: ['gpu-1', 'gpu-2'], turn }),
  ]);

  expect(chosen).toEqual([['gpu-1'], ['gpu-2'], ['gpu-1'], ['gpu-2']]);
});

test('"any" of nodes none of which is healthy is one of them all the same', () => {
  expect([...selectNodes(['any'], all, { healthy: [], turn: 1 })]).toEqual(['gpu-1']);
  expect([...selectNodes(['any'], [], { healthy: [], turn: 0 })]).toEqual([]);
});

test('a range of numbers of many digits is no long expression', () => {
  const big = `n${'7'.repeat(30)}`;

  expect([...selectNodes([`n[1-${'9'.repeat(30)}]`], [big, 'n0'], usual)]).toEqual([big]);
  expect(() => selectNodes([`n[1-${'9'.repeat(3000)}]`], [big], usual)).toThrow(/^no GPU node matches/);
});

test.for(['*a'.repeat(12), '{a,?}'.repeat(60), '([a-z]+)+', '[a-z]+'.repeat(30)])(
  'a pattern that a matcher would sit over for years is refused: %s',
  (pattern) => {
    expect(() => selectNodes([`${pattern}!`], ['a'.repeat(63)], usual)).toThrow(
      expect.objectContaining({
        code: 'BAD_ARGUMENT',
        message: expect.stringContaining('too long to match'),
      }),
    );
  },
);

test('a nested pattern matches at once', () => {
  const long = ['a'.repeat(63)];

  expect(() => selectNodes(['*(*(a))b'], long, usual)).toThrow(/^no GPU node matches/);
  expect([...selectNodes(['**a***a*'], long, usual)]).toEqual(long);
});
