import { expect, test } from 'vitest';

import { selectNodes } from '../../src/bridge/fleet/select.ts';

const all = ['cpu', 'gpu-1', 'gpu-2', 'gpu-10', 'gpu-a.zone'];
const usual = { healthy: all, turn: 0 };

test.for([
  [undefined, all],
  [['gpu-1'], ['gpu-1']],
  [['gpu-*'], ['gpu-1', 'gpu-2', 'gpu-10', 'gpu-a.zone']],
  [['gpu-?'], ['gpu-1', 'gpu-2']],
  [['gpu-[12]'], ['gpu-1', 'gpu-2']],
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

test('what matches nothing is named, with what there is', () => {
  expect(() => selectNodes(['gpu-1', 'gpu-3', 'tpu-*'], all, usual)).toThrow(
    expect.objectContaining({
      code: 'NODE_NOT_FOUND',
      message: 'no GPU node matches gpu-3, tpu-*; there are cpu,gpu-[1-2,10],gpu-a.zone',
    }),
  );
  expect(() => selectNodes(['gpu-1'], [], { healthy: [], turn: 0 })).toThrow('there are none');
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
