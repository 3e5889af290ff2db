import { expect, test } from 'vitest';

import { XidBook } from '../../src/server/events/xid-book.ts';
import { xidEvent } from '../support/events.ts';

test('the newest line of each GPU, Xid and severity is kept', () => {
  const book = new XidBook();

  book.note(xidEvent('0000:3b:00', 13, { atMs: 1000 }));
  book.note(xidEvent('0000:3b:00', 79, { atMs: 2000 }));
  book.note(xidEvent('0000:3b:00', 13, { atMs: 9000 }));
  book.note(xidEvent('0000:5e:00', 31, { atMs: null }));

  expect(book.seen).toEqual([
    { slot: '0000:3b:00', xid: 79, fatal: true, atS: 2 },
    { slot: '0000:3b:00', xid: 13, fatal: false, atS: 9 },
    { slot: '0000:5e:00', xid: 31, fatal: false, atS: null },
  ]);
  expect(['0000:3b:00', '0000:5e:00', '0000:86:00'].map((slot) => book.lastOf(slot))).toEqual([13, 31, 0]);
});

test('only Xids count, and only those of the kernel itself', () => {
  const book = new XidBook();

  book.note(xidEvent('0000:3b:00', 79, { origin: 'userSpace' }));
  book.note(xidEvent('0000:3b:00', 79, { kind: 'sxid' }));
  book.note(xidEvent('0000:3b:00', 79, { pciSlot: null }));

  expect(book.seen).toEqual([]);
});

test('a log full of addresses fills nothing', () => {
  const book = new XidBook();

  for (let at = 0; at < 1000; at++) book.note(xidEvent(`${at.toString(16).padStart(4, '0')}:01:00`, 79));

  expect(book.seen).toHaveLength(64);
});
