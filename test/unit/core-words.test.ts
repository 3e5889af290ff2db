import { expect, test } from 'vitest';

import { clipped, count, duration, gibibytes, plainText, sentence } from '../../src/core/words.ts';

test.for([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1 s'],
  [119_400, '119 s'],
  [120_000, '2 min'],
  [7_199_999, '120 min'],
  [7_200_000, '2 h'],
  [360_000_000, '100 h'],
] as const)('%i ms is %s', ([ms, words]) => {
  expect(duration(ms)).toBe(words);
});

test('bytes are GiB with one digit at most', () => {
  expect(gibibytes(80 * 2 ** 30)).toBe('80 GiB');
  expect(gibibytes(81_559 * 2 ** 20)).toBe('79.6 GiB');
  expect(gibibytes(0)).toBe('0 GiB');
});

test('what is less than 1 GiB is not nothing, but MiB', () => {
  expect([1, 30 * 2 ** 20, 2 ** 30 - 1, 2 ** 30].map(gibibytes)).toEqual([
    '1 MiB',
    '30 MiB',
    '1 GiB',
    '1 GiB',
  ]);
});

test('one is singular, everything else is plural', () => {
  expect([0, 1, 2].map((number) => count(number, 'node'))).toEqual(['0 nodes', '1 node', '2 nodes']);
});

test('text of a node can neither move the cursor, nor begin a line, nor turn the direction', () => {
  const text = plainText('\u001b[2Jok\r\nNO ANSWER from gpu-1\u2028x\u202eevil\u200b\u0000\u009b31m');

  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(text).toBe('[2Jok NO ANSWER from gpu-1 x evil 31m');
});

test('text of a node is cut, and shows that it was', () => {
  expect(plainText('x'.repeat(301))).toBe(`${'x'.repeat(300)}…`);
  expect(plainText('x'.repeat(300))).toBe('x'.repeat(300));
  expect(clipped('abc', 2)).toBe('ab…');
});

test('letters and signs of every script stay as they are', () => {
  expect(plainText('Grafik-Karte «Ampère» 温度 91 °C ±2')).toBe('Grafik-Karte «Ampère» 温度 91 °C ±2');
});

test.for([
  ['gone', 'gone.'],
  ['gone.', 'gone.'],
  ['gone..', 'gone.'],
  ['in use?', 'in use?'],
  ['(POST, MCP over HTTP). ', '(POST, MCP over HTTP).'],
  ['cut off…', 'cut off…'],
  ['wrong version number:ssl3.c:360: ', 'wrong version number:ssl3.c:360.'],
] as const)('%j ends as one sentence: %j', ([text, ended]) => {
  expect(sentence(text)).toBe(ended);
});
