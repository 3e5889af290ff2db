import { expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import { bookOf, known, readings } from '../support/gpu-book.ts';

test('a GPU that is lost keeps its name, and the time since when', () => {
  const { book, clock } = bookOf('a', 'b');

  for (clock.ms = 10; clock.ms <= 30; clock.ms += 10) book.read(1, unreadable('gpuLost'));

  expect(known(book)).toEqual([
    ['a', 'there'],
    ['b', 'lost'],
  ]);
  expect(book.gpus[1]).toMatchObject({ trouble: { sinceMs: 10 }, readings: { uuid: { value: 'GPU-b' } } });
  expect(book.gpus[1]?.readings.temperatureC).toEqual({ missing: 'gpuLost' });
});

test('a GPU that is read again is no longer lost', () => {
  const { book } = bookOf('a');
  book.read(0, unreadable('gpuLost'));

  book.read(0, readings('a'));

  expect(known(book)).toEqual([['a', 'there']]);
});

test('values that took long to read are as old as the first of them', () => {
  const { book, clock } = bookOf('a');
  clock.ms = 30;

  book.read(0, readings('a'), { slowly: false, tookMs: 20 });

  expect(book.gpus[0]).toMatchObject({ readAtMs: 10, slowReadAtMs: 0 });
});

test('how long reading takes is known before it is done, and no less than the last time', () => {
  const { book } = bookOf('a');
  const took = () => book.gpus[0]?.tookMs;

  book.takesLong(0, 6000);
  expect(took()).toBe(6000);
  book.read(0, readings('a'), { tookMs: 9000 });
  book.takesLong(0, 1000);
  expect(took()).toBe(9000);
  book.read(0, readings('a'), { tookMs: 10 });
  expect(took()).toBe(10);
});

test('a GPU that the next driver life does not have has vanished, whatever its index was', () => {
  const { book, clock, life } = bookOf('a', 'b', 'c');
  clock.ms = 5;

  life('a', 'c');

  expect(known(book)).toEqual([
    ['a', 'there'],
    ['c', 'there'],
    ['b', 'vanished'],
  ]);
  expect(book.gpus[2]).toMatchObject({ trouble: { sinceMs: 5 } });
  expect(book.gpus[2]?.readings.temperatureC).toEqual({ missing: 'gpuLost' });
});

test('it is only said to have vanished once all of that life have been read', () => {
  const { book } = bookOf('a', 'b');

  book.begin(1);
  expect(known(book)).toEqual([
    ['a', 'there'],
    ['b', 'there'],
  ]);
  expect(book.gpus[1]?.readings.temperatureC).toEqual({ missing: 'notReady' });
  book.read(0, readings('b'));

  expect(known(book)).toEqual([
    ['b', 'there'],
    ['a', 'vanished'],
  ]);
});

test('a GPU that has vanished stays known over further lives, since the same time', () => {
  const { book, clock, life } = bookOf('a', 'b');

  for (clock.ms = 10; clock.ms <= 30; clock.ms += 10) life('a');

  expect(known(book)).toEqual([
    ['a', 'there'],
    ['b', 'vanished'],
  ]);
  expect(book.gpus[1]?.trouble?.sinceMs).toBe(10);
});

test('all vanish, and come back: each is told once', () => {
  const { book, life } = bookOf('a', 'b');

  life();
  expect(known(book)).toEqual([
    ['a', 'vanished'],
    ['b', 'vanished'],
  ]);
  life('b', 'a');

  expect(known(book)).toEqual([
    ['b', 'there'],
    ['a', 'there'],
  ]);
});

test('a GPU that was in two unfinished lives vanishes once', () => {
  const { book, life } = bookOf('a', 'b');
  book.begin(2);
  book.read(0, readings('b')); // this life ends before its second GPU was read

  life('a');

  expect(known(book)).toEqual([
    ['a', 'there'],
    ['b', 'vanished'],
  ]);
});

test('once its call has returned it says itself who it is, and a wrong guess is mended', () => {
  const { book } = bookOf('a', 'b', 'c');
  book.hung(0, 7);
  book.begin(2);
  const call = book.hung(0, 7);
  book.read(1, readings('c'));
  expect(known(book)).toEqual([
    ['a', 'hung'],
    ['c', 'there'],
    ['b', 'vanished'],
  ]);

  book.returned(call);
  book.read(0, readings('b'));

  expect(known(book)).toEqual([
    ['b', 'there'],
    ['c', 'there'],
    ['a', 'vanished'],
  ]);
});

test.for([
  ['a', 'b'],
  ['b', 'a'],
])(
  'a GPU that is lost over a reload is listed once, by name, where %s is the one left and %s is lost',
  ([left = '', lost = '']) => {
    const { book, life } = bookOf('a', 'b');

    book.begin(2);
    book.read(0, readings(left));
    book.read(1, unreadable('gpuLost'));

    expect(known(book)).toEqual([
      [left, 'there'],
      [lost, 'lost'],
    ]);
    life('a', 'b');
    expect(known(book)).toEqual([
      ['a', 'there'],
      ['b', 'there'],
    ]);
  },
);

test('in no moment of a reload are fewer GPUs listed than are known', () => {
  const { book } = bookOf('a', 'b', 'c');
  const counts: number[] = [];
  const counted = (step: () => void) => {
    step();
    counts.push(book.gpus.length);
  };

  counted(() => book.driverGone());
  counted(() => book.begin(2));
  counted(() => book.hung(0, 7));
  counted(() => book.read(1, unreadable('gpuLost')));
  counted(() => book.driverGone());
  counted(() => book.begin(3));
  for (const [index, name] of ['c', 'a', 'b'].entries()) counted(() => book.read(index, readings(name)));

  expect(counts).toEqual(Array(9).fill(3));
});

test('while the driver is gone its GPUs have names and no values', () => {
  const { book } = bookOf('a');

  book.driverGone();

  expect(known(book)).toEqual([['a', 'there']]);
  expect(book.gpus[0]).toMatchObject({
    readings: { temperatureC: { missing: 'driverUnavailable' } },
    readAtMs: null,
    slowReadAtMs: null,
    rates: null,
  });
});
