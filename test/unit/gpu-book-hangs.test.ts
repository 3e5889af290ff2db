import { expect, test } from 'vitest';

import { bookOf, known, readings } from '../support/gpu-book.ts';

test('a GPU on which a call hangs is not to be read until the call has returned, also in the next life', () => {
  const { book } = bookOf('a', 'b');

  book.hung(0, 7);
  expect([known(book)[0], book.readable]).toEqual([['a', 'hung'], [1]]);
  book.begin(2);
  expect([book.gpus[0]?.trouble, book.readable]).toEqual([{ kind: 'hung', sinceMs: 7 }, [1]]);
  book.returned(0);

  expect(book.readable).toEqual([1, 0]); // it may hang again: the other one first
});

test('a GPU that hangs each time is asked more and more rarely, and as ever once it has answered', () => {
  const { book, clock } = bookOf('a', 'b');
  const rests = Array.from({ length: 9 }, () => {
    book.hung(0, clock.ms);
    book.returned(0);
    const fromMs = clock.ms;
    while (!book.readable.includes(0)) clock.ms += 1000;
    return (clock.ms - fromMs) / 1000;
  });

  expect(rests).toEqual([0, 10, 20, 40, 80, 160, 320, 600, 600]);
  expect(book.gpus[0]?.trouble).toEqual({ kind: 'hung', sinceMs: 0 });
  book.read(0, readings('a'));
  expect([known(book)[0], book.readable]).toEqual([
    ['a', 'there'],
    [0, 1],
  ]);
  book.hung(0, clock.ms);
  book.returned(0);
  expect(book.readable).toEqual([1, 0]);
});

test('a GPU that hangs over a reload keeps its name, and the GPU that the reload took is told at once', () => {
  const { book, clock } = bookOf('a', 'b', 'c');
  book.hung(0, 7);
  clock.ms = 10;

  book.begin(2);
  book.read(1, readings('b'));

  expect(known(book)).toEqual([
    ['a', 'hung'],
    ['b', 'there'],
    ['c', 'vanished'],
  ]);
  expect(book.gpus[2]?.trouble?.sinceMs).toBe(10);
});
