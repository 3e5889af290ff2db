import { expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import { GpuBook } from '../../src/server/gpu-book.ts';

function bookOf(...gpus: string[]) {
  const clock = { ms: 0 };
  const book = new GpuBook(() => clock.ms);
  const life = (...names: string[]) => {
    book.begin(names.length);
    for (const [index, name] of names.entries()) book.read(index, readings(name));
  };
  life(...gpus);
  return { book, clock, life };
}

function readings(name: string): GpuReadings {
  return {
    ...unreadable('notSupported'),
    uuid: { value: `GPU-${name}` },
    pciAddress: { value: name },
    temperatureC: { value: 40 },
  };
}

function known(book: GpuBook) {
  return book.gpus.map(({ readings: { pciAddress }, trouble }) => [
    'value' in pciAddress ? pciAddress.value : pciAddress.missing,
    trouble?.kind ?? 'there',
  ]);
}

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

  expect(known(book)).toEqual([['notReady', 'there']]);
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

test('a GPU on which a call hangs is not to be read until the call has returned, also in the next life', () => {
  const { book } = bookOf('a', 'b');

  book.hung(0, 7);
  expect([known(book)[0], book.readable]).toEqual([['a', 'hung'], [1]]);
  book.begin(2);
  expect([book.gpus[0]?.trouble, book.readable]).toEqual([{ kind: 'hung', sinceMs: 7 }, [1]]);
  book.returned(0);

  expect(book.readable).toEqual([0, 1]);
});

test('while the driver is gone its GPUs have names and no values', () => {
  const { book } = bookOf('a');

  book.driverGone();

  expect(known(book)).toEqual([['a', 'there']]);
  expect(book.gpus[0]?.readings.temperatureC).toEqual({ missing: 'driverUnavailable' });
});
