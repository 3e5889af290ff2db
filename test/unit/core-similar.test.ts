import { expect, test } from 'vitest';

import { didYouMean, nearest } from '../../src/core/similar.ts';

const commands = ['call', 'demo', '--help', '--version'];

test.for([
  ['cal', 'call'],
  ['dmo', 'demo'],
  ['dmeo', 'demo'],
  ['demoo', 'demo'],
  ['CALL', 'call'],
  ['help', '--help'],
  ['-version', '--version'],
] as const)('%s is %s mistyped', ([word, meant]) => {
  expect(nearest(word, commands)).toBe(meant);
  expect(didYouMean(word, commands)).toBe(` (did you mean ${meant}?)`);
});

test.for(['ask', 'x', '', 'serve', 'd'.repeat(10_000)])('%s is none of them: nothing is guessed', (word) => {
  expect(nearest(word, commands)).toBeUndefined();
  expect(didYouMean(word, commands)).toBe('');
});

test('of several the nearest is named', () => {
  expect(nearest('gpu_health', ['get_gpu_inventory', 'get_gpu_health'])).toBe('get_gpu_health');
  expect(nearest('nodes', ['node', 'nodes'])).toBe('nodes');
});

test('where nothing is known, nothing is meant', () => {
  expect(nearest('call', [])).toBeUndefined();
});
