import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { EventBook } from '../../src/server/events/event-book.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { xidErrors } from '../../src/tools/xid-errors.ts';
import { contextOf } from '../support/answers.ts';
import { bookOf, kept } from '../support/event-book.ts';
import { gpu, snapshot } from '../support/gpus.ts';

function xid(seconds: number, code: number, slot = '0000:3b:00', text = 'x', priority = 4): string {
  return `<${priority}>[${seconds.toFixed(6)}] NVRM: Xid (PCI:${slot}): ${code}, ${text}`;
}

const memoryError = xid(1, 48);
/** Of a job that fails again and again, on another GPU. */
const storm = (count: number, text?: string) =>
  Array.from({ length: count }, (_, at) => xid(2 + at / 1000, 13, '0000:86:00', text));
const codesOf = (book: EventBook) => book.since(undefined).events.map(({ code }) => code);

test('a storm of a harmless Xid takes no room from an uncorrectable memory error of another GPU, that was read before or with it', () => {
  const before = bookOf();
  before.read(memoryError);
  before.read(memoryError, ...storm(6000));
  const at = bookOf();
  at.read(memoryError, ...storm(6000));

  for (const { book } of [before, at]) {
    expect(codesOf(book)[0]).toBe(48);
    expect(codesOf(book).length).toBeLessThanOrEqual(2000);
  }
});

test('nor does a storm of one Xid from another of the same GPU', () => {
  const { book, read } = bookOf();
  read(xid(1, 63, '0000:86:00'), ...storm(6000));

  expect(codesOf(book)[0]).toBe(63);
});

test('nor is it lost to that storm when the book is too long to be written down whole', () => {
  const before = bookOf();
  before.read(memoryError, ...storm(2000, 'x'.repeat(900)));
  before.book.end();
  const written = kept(before.book);

  const { book } = bookOf({ kept: written });

  expect(JSON.stringify(written).length).toBeLessThan(2 * 2 ** 20);
  expect(codesOf(book)[0]).toBe(48);
  expect(book.since(undefined).eventsLost).toBe(true);
});

test('many storms share the room: none has more than another, and together they fill no memory', () => {
  const { book, read } = bookOf();
  const codes = [13, 31, 43, 45, 94];
  read(
    memoryError,
    ...Array.from({ length: 15_000 }, (_, at) => xid(2 + at / 1000, codes[at % codes.length] ?? 13)),
  );

  const told = codesOf(book);
  expect(told[0]).toBe(48);
  for (const code of codes) expect(told.filter((each) => each === code).length).toBeGreaterThan(300);
  expect(told.length).toBeLessThanOrEqual(2000);
});

test('thousands of errors that a program makes up take no room from the kernel, and thousands of the kernel fill no memory', () => {
  const madeUp = (priority: number) =>
    Array.from({ length: 12_000 }, (_, at) =>
      xid(2 + at / 1000, at % 500, `${at.toString(16).padStart(4, '0')}:3b:00`, 'x', priority),
    );
  const byProgram = bookOf();
  byProgram.read(memoryError, memoryError, ...madeUp(12));
  const byKernel = bookOf();
  byKernel.read(memoryError, ...madeUp(4));

  expect(codesOf(byProgram.book).slice(0, 2)).toEqual([48, 48]);
  for (const { book } of [byProgram, byKernel]) expect(codesOf(book).length).toBeLessThanOrEqual(2000);
});

test('the newest lines of each error that are looked at are the same whatever comes after them: none is told twice', () => {
  const { book, read } = bookOf();
  const other = Array.from({ length: 9000 }, (_, at) => xid(20 + at / 1000, 31 + (at % 9), '0000:5e:00'));
  read(...storm(6000));
  read(...storm(6000), ...other);
  const { cursor, events } = book.since(undefined);
  const newest = events.at(-1)?.number;

  read(...storm(6000).slice(3000), ...other);

  expect(book.since(cursor)).toMatchObject({ events: [], eventsLost: false });
  expect(book.newest).toBe(newest);
});

test('who asks for all there is is told that some were dropped, now and after a restart; of a book that lost none, that none was', () => {
  const { book, read } = bookOf();
  expect(book.since(undefined).eventsLost).toBe(false);
  read(memoryError, ...storm(1000));
  expect(book.since(undefined).eventsLost).toBe(false);
  expect(bookOf({ kept: kept(book) }).book.since(undefined).eventsLost).toBe(false);

  read(memoryError, ...storm(2001));

  expect(book.since(undefined).eventsLost).toBe(true);
  expect(bookOf({ kept: kept(book) }).book.since(undefined).eventsLost).toBe(true);
});

test('who asks for all there is is told that some may have been missed', () => {
  const { book, read } = bookOf();
  read(memoryError);
  expect(book.since(undefined).eventsLost).toBe(false);

  read(xid(800, 79));

  expect(book.since(undefined).eventsLost).toBe(true);
});

test('when events were lost is known, also after a restart, so that what came later is not doubted', () => {
  const { book, clock, read } = bookOf();
  read(memoryError, ...storm(2001));
  const lostBeforeMs = clock.ms;
  clock.ms += 60_000;

  expect(book.since(undefined)).toMatchObject({ eventsLost: true, lostBeforeMs });
  expect(bookOf({ kept: kept(book) }).book.since(undefined)).toMatchObject({
    eventsLost: true,
    lostBeforeMs,
  });
});

test('the count of a storm of which some were dropped does not pass for exact', () => {
  const text = (count: number) => {
    const { book, read } = bookOf();
    read(memoryError, ...storm(count));
    const value = xidErrors.answer(
      parseArguments(xidErrors.input, {}),
      contextOf(snapshot([gpu(0), gpu(1)]), book),
    );
    return present(xidErrors, parseArguments(fleetInput(xidErrors), {}), [{ node: 'a', value }]).text;
  };

  expect(text(1000)).not.toContain('dropped');
  expect(text(5000)).toContain('a: events were dropped for want of room');
});
