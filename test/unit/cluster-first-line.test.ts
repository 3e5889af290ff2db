import { expect, test } from 'vitest';
import { FirstLine } from '../../src/bridge/cluster/first-line.ts';

function collect(...pieces: readonly Buffer[]) {
  const line = new FirstLine('the agent');
  const lines: string[] = [];
  const codes: string[] = [];
  for (const piece of pieces)
    line.push(
      piece,
      (whole) => lines.push(whole),
      ({ code }) => codes.push(code),
    );
  return { lines, codes, rest: line.rest() };
}

test('behind the first line nothing is collected', () => {
  const pieces = ['\n{"answer"', ':1}\n{"sec', 'ond":true}\n', 'more'].map((text) => Buffer.from(text));

  expect(collect(...pieces)).toEqual({ lines: ['{"answer":1}'], codes: [], rest: '' });
});

test('a line that was refused is refused once, and let go of', () => {
  const mebibytes = Array.from({ length: 20 }, () => Buffer.alloc(1 << 20, 'x'));

  expect(collect(...mebibytes, Buffer.from('\n'))).toEqual({
    lines: [],
    codes: ['NODE_BAD_ANSWER'],
    rest: '',
  });
});
