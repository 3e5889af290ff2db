import { expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import { bookOf, known, readings } from '../support/gpu-book.ts';

test('a GPU on which a call hangs is not to be read until the call has returned, also in the next life', () => {
  const { book } = bookOf('a', 'b');

  const call = book.hung(0, 7);
  expect([known(book)[0], book.readable]).toEqual([['a', 'hung'], [1]]);
  book.begin(2);
  expect([book.gpus[0]?.trouble, book.readable]).toEqual([{ kind: 'hung', sinceMs: 7 }, [1]]);
  book.returned(call);

  expect(book.readable).toEqual([1, 0]); // it may hang again: the other one first
});

test('a GPU that hangs each time is asked more and more rarely, and as ever once it has answered', () => {
  const { book, clock } = bookOf('a', 'b');
  const rests = Array.from({ length: 9 }, () => {
    book.returned(book.hung(0, clock.ms));
    const fromMs = clock.ms;
    while (!book.readable.includes(0)) clock.ms += 1000;
    return (clock.ms - fromMs) / 1000;
  });

  expect(rests).toEqual([0, 10, 20, 40, 80, 120, 120, 120, 120]);
  expect(book.gpus[0]?.trouble).toEqual({ kind: 'hung', sinceMs: 0, againAtMs: clock.ms });
  book.read(0, readings('a'));
  expect([known(book)[0], book.readable]).toEqual([
    ['a', 'there'],
    [0, 1],
  ]);
  book.returned(book.hung(0, clock.ms));
  expect(book.readable).toEqual([1, 0]);
});

test('a GPU that hangs over a reload keeps its name, and the GPU that the reload took is told at once', () => {
  const { book, clock } = bookOf('a', 'b', 'c');
  book.hung(0, 7);
  clock.ms = 10;

  book.begin(2);
  book.hung(0, 10);
  book.read(1, readings('b'));

  expect(known(book)).toEqual([
    ['a', 'hung'],
    ['b', 'there'],
    ['c', 'vanished'],
  ]);
  expect(book.gpus[2]?.trouble?.sinceMs).toBe(10);
});

test('a hang is not that of whoever has its index once there are more GPUs or fewer: all are asked', () => {
  const { book } = bookOf('a', 'b', 'c');
  const old = book.hung(1, 7);

  book.begin(2);
  expect(book.readable).toEqual([0, 1]);
  book.read(0, readings('b'));
  const call = book.hung(1, 8);
  book.returned(old);

  expect(known(book).slice(0, 2)).toEqual([
    ['b', 'there'],
    [expect.anything(), 'hung'],
  ]);
  expect(book.readable).toEqual([0]);
  book.returned(call);
  expect(book.readable).toEqual([0, 1]);
});

test('a GPU whose call has returned, late, is told with when it is asked again, until its driver has gone', () => {
  const { book, clock } = bookOf('a', 'b');
  book.returned(book.hung(0, 0));
  book.returned(book.hung(0, 0));
  expect(book.gpus[0]?.trouble).toMatchObject({ kind: 'hung', againAtMs: clock.ms + 10_000 });

  book.driverGone();

  expect(book.gpus[0]?.trouble).toBeNull();
});

test('of a driver that has gone no GPU is lost, and one hangs only while its call has not returned', () => {
  const { book } = bookOf('a', 'b');
  book.read(0, unreadable('gpuLost'));
  const call = book.hung(1, 7);

  book.driverGone();
  expect(book.gpus.map(({ trouble }) => trouble?.kind ?? null)).toEqual([null, 'hung']);
  book.returned(call);

  expect(book.gpus[1]?.trouble).toBeNull();
});
