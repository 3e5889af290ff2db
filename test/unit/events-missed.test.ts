import { expect, test } from 'vitest';

import { bookOf, kept } from '../support/event-book.ts';

function xid(seconds: string, code: number): string {
  return `<4>[${seconds}] NVRM: Xid (PCI:0000:3b:00): ${code}, x`;
}

const other = (seconds: string) => `<6>[${seconds}] eth0: link up`;

test('an agent that is killed gives no number twice: a reader misses nothing, and knows by its id what it has read before', () => {
  const before = bookOf();
  before.read(xid('1.5', 31));
  const written = kept(before.book);
  before.read(xid('1.5', 31), xid('2.5', 79));
  const { cursor, events } = before.book.since(undefined);

  const after = bookOf({ kept: written });
  after.read(xid('1.5', 31), xid('2.5', 79), xid('3.5', 48));

  const page = after.book.since(cursor);
  expect(page).toMatchObject({ eventsLost: false, events: [{ code: 79, id: events[1]?.id }, { code: 48 }] });
  expect(new Set(after.book.since(undefined).events.map(({ number }) => number)).size).toBe(3);
});

test('where nobody reads the kernel log, what happened while no agent was there may be lost, and that is told once', () => {
  const before = bookOf();
  before.read(xid('1.5', 31));
  const { cursor } = before.book.since(undefined);
  before.book.end();

  const { book } = bookOf({ kept: kept(before.book) });
  book.source('kernelLog', 'not asked for');
  book.source('kernelLog', 'not asked for');

  const page = book.since(cursor);
  expect(page).toMatchObject({ eventsLost: true, events: [] });
  expect(book.since(page.cursor)).toMatchObject({ eventsLost: false, events: [] });
});

test.for<[what: string, log: string[], eventsLost: boolean]>([
  ['still has the line that was read last', [other('5.5'), xid('9.5', 48)], false],
  ['goes back to before that', [other('4.5'), xid('9.5', 48)], false],
  ['has been written over since', [other('8.5'), xid('9.5', 48)], true],
])('after a restart the log %s', ([, log, eventsLost]) => {
  const before = bookOf();
  before.read(xid('1.5', 31), other('5.5'));
  const { cursor } = before.book.since(undefined);
  before.book.end();

  const after = bookOf({ kept: kept(before.book) });
  after.read(...log);

  expect(after.book.since(cursor)).toMatchObject({ eventsLost, events: [{ code: 48 }] });
});

test('a log that was written over between two reads is told, too', () => {
  const { book, read } = bookOf();
  read(xid('1.5', 31), other('2.5'));
  const { cursor } = book.since(undefined);

  read(other('7.5'), xid('8.5', 79));

  const page = book.since(cursor);
  expect(page).toMatchObject({ eventsLost: true, events: [{ code: 79 }] });
  read(other('7.5'), xid('8.5', 79), xid('9.5', 48));
  expect(book.since(page.cursor)).toMatchObject({ eventsLost: false, events: [{ code: 48 }] });
});

test('when the clock was set, events are dated by it: what has just happened is not two hours old', () => {
  const { book, clock, read } = bookOf();
  read();
  read(xid('900.5', 79));

  clock.ms += 7000;
  clock.setByMs = 7_200_000;
  expect(book.since(undefined).events).toMatchObject([{ atMs: clock.ms + clock.setByMs - 7000 }]);
  clock.setByMs = -7_200_000;
  expect(book.since(undefined).events).toMatchObject([{ atMs: clock.ms + clock.setByMs - 7000 }]);
});

test('what an earlier version had read and made nothing of is not told as of now by this one', () => {
  const before = bookOf();
  before.read(xid('1.5', 31), xid('2.5', 48));
  const written = kept(before.book);
  const older = { ...written, seen: [], events: [] };

  const after = bookOf({ kept: older });
  after.read(xid('1.5', 31), xid('2.5', 48), xid('3.5', 79));

  expect(after.book.since(undefined).events).toMatchObject([{ code: 79 }]);
});

test('since when nothing is lost any more is known of a book that an earlier version kept, too', () => {
  const before = bookOf();
  before.read(xid('1.5', 31));
  const { lostBeforeMs: _, ...older } = { ...kept(before.book), lostUpTo: 1 };

  const { book, clock } = bookOf({ kept: older });

  expect(book.since(undefined)).toMatchObject({ eventsLost: true, lostBeforeMs: clock.ms });
});
