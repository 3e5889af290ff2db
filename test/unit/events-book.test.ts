import { expect, test } from 'vitest';

import type { EventBook } from '../../src/server/events/event-book.ts';
import { bookOf, bootedAtMs, kept } from '../support/event-book.ts';

function line(seconds: string, xid: number, slot = '0000:3b:00', text = 'x'): string {
  return `<4>[${seconds}] NVRM: Xid (PCI:${slot}): ${xid}, ${text}`;
}

function codes(book: EventBook, cursor?: string) {
  return book.since(cursor).events.map(({ number, code }) => [number, code]);
}

test('a log that is read again and again tells each event once, with increasing numbers', () => {
  const { book, read } = bookOf();

  read([line('1.5', 13), line('2.5', 79)].join('\n'));
  read([line('1.5', 13), line('2.5', 79)].join('\n'));
  read([line('1.5', 13), line('2.5', 79), line('9.5', 31)].join('\n'));

  expect(codes(book)).toEqual([
    [1, 13],
    [2, 79],
    [3, 31],
  ]);
});

test('two lines alike, printed at the same time, are two events; read again they are not four', () => {
  const { book, read } = bookOf();

  read(`${line('1.5', 45)}\n${line('1.5', 45)}`);
  read(`${line('1.5', 45)}\n${line('1.5', 45)}`);
  read(`${line('1.5', 45)}\n${line('1.5', 45)}\n${line('1.5', 45)}`);

  expect(codes(book)).toHaveLength(3);
  expect(new Set(book.since(undefined).events.map(({ id }) => id)).size).toBe(3);
});

test('neither a log that has wrapped nor one that was cleared brings anything back', () => {
  const { book, read } = bookOf();

  read([line('1.5', 13), line('2.5', 79), line('3.5', 31)].join('\n'));
  read([line('2.5', 79), line('3.5', 31), line('4.5', 48)].join('\n')); // wrapped: the oldest is gone
  read(''); // dmesg -C
  read(line('5.5', 63));

  expect(codes(book).map(([, code]) => code)).toEqual([13, 79, 31, 48, 63]);
});

test('what was there at the first read is dated by the time since boot, what comes later is not older than that read', () => {
  const { book, clock, read } = bookOf();

  read(`${line('1.25', 13)}\n<4>NVRM: Xid (PCI:0000:3b:00): 79, x`);
  clock.ms += 60_000;
  read(`${line('1.25', 13)}\n<4>NVRM: Xid (PCI:0000:3b:00): 79, x\n${line('2.5', 31)}`);

  const dates = book.since(undefined).events.map(({ atMs }) => atMs);
  expect(dates).toEqual([bootedAtMs + 1250, null, clock.ms - 60_000]);
});

test('an event that the driver and the log both tell of is one, whichever was first', () => {
  const first = { pciSlot: '0000:3b:00', xid: 79, gpuInstanceId: null, computeInstanceId: null };
  const { book, clock, read } = bookOf();
  read('');

  book.fromDriver(first);
  clock.ms += 5000;
  read(line('900.5', 79, '0000:3b:00', 'pid=1, GPU has fallen off the bus.'));
  read(`${line('900.5', 79, '0000:3b:00', 'pid=1, GPU has fallen off the bus.')}\n${line('905.5', 48)}`);
  book.fromDriver({ ...first, xid: 48 });

  expect(book.since(undefined).events).toMatchObject([
    {
      code: 79,
      sources: ['nvml', 'kernelLog'],
      message: expect.stringContaining('pid=1'),
      details: { pid: 1 },
    },
    { code: 48, sources: ['kernelLog', 'nvml'] },
  ]);
});

test('control: another GPU, another Xid, or a long time apart are events of their own', () => {
  const { book, clock, read } = bookOf();
  read('');
  const told = { pciSlot: '0000:3b:00', xid: 79, gpuInstanceId: null, computeInstanceId: null };

  book.fromDriver(told);
  read(line('900.5', 79, '0000:5e:00'));
  book.fromDriver({ ...told, xid: 13 });
  clock.ms += 11_000;
  read(`${line('900.5', 79, '0000:5e:00')}\n${line('911.5', 79)}`);

  expect(codes(book)).toHaveLength(4);
});

test('what a program wrote into the log is listed with that word, and never taken for what the driver told', () => {
  const { book, read } = bookOf();
  read('');

  book.fromDriver({ pciSlot: '0000:3b:00', xid: 79, gpuInstanceId: null, computeInstanceId: null });
  read('<12>[900.5] NVRM: Xid (PCI:0000:3b:00): 79, x');

  expect(book.since(undefined).events).toMatchObject([
    { origin: 'kernel', sources: ['nvml'] },
    { origin: 'userSpace', sources: ['kernelLog'] },
  ]);
});

test('a reader goes on from its cursor, and is told nothing twice', () => {
  const { book, read } = bookOf();
  read(line('1.5', 13));
  const { cursor } = book.since(undefined);
  read(`${line('1.5', 13)}\n${line('2.5', 79)}`);

  const page = book.since(cursor);

  expect(page).toMatchObject({ events: [{ number: 2, code: 79 }], eventsLost: false });
  expect(book.since(page.cursor)).toMatchObject({ events: [], eventsLost: false });
});

test('a reader that was away for too long, or knew another numbering, is told that events were lost', () => {
  const { book, read } = bookOf();
  read(line('1.5', 13));
  const { cursor } = book.since(undefined);
  read(Array.from({ length: 5000 }, (_, at) => line(`${at + 2}.5`, 31)).join('\n'));

  expect(book.since(cursor)).toMatchObject({ eventsLost: true });
  expect(book.since(cursor).events.length).toBeLessThanOrEqual(2000);
  const other = bookOf();
  other.read(line('1.5', 13));
  expect(other.book.since(cursor)).toMatchObject({ eventsLost: true, events: [{ code: 13 }] });
});

test('a cursor from after all that is known is told that events were lost, and gets all there is', () => {
  const { book, read } = bookOf();
  read([line('1.5', 13), line('2.5', 79)].join('\n'));
  const { cursor } = book.since(undefined);

  const page = book.since(cursor.replace(/\d+$/, '99'));

  expect(page).toMatchObject({ eventsLost: true, events: [{ code: 13 }, { code: 79 }], cursor });
});

test.for(['', '7', 'abc', 'ffffffff', 'ffffffff-', 'ffffffff-1x', `ffffffff-${'9'.repeat(40)}`])(
  'a cursor that no answer gave is refused: %s',
  (cursor) => {
    expect(() => bookOf().book.since(cursor)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  },
);

test('a book that was kept goes on: same numbers, same ids, and nothing told twice', () => {
  const before = bookOf();
  before.read([line('1.5', 13), line('1.5', 13), line('2.5', 79)].join('\n'));
  const { cursor } = before.book.since(undefined);
  before.book.end();

  const after = bookOf({ kept: kept(before.book) });
  after.read([line('1.5', 13), line('1.5', 13), line('2.5', 79), line('9.5', 31)].join('\n'));

  expect(after.book.since(cursor)).toMatchObject({ eventsLost: false, events: [{ number: 4, code: 31 }] });
  expect(codes(after.book)).toHaveLength(4);
});

test('without a kept book the same lines get the same ids, so that a reader can tell', () => {
  const log = [line('1.5', 13), line('1.5', 13), line('2.5', 79)].join('\n');
  const ids = () => {
    const { book, read } = bookOf();
    read(log);
    return book.since(undefined).events.map(({ id }) => id);
  };

  expect(ids()).toEqual(ids());
});

test('after a reboot the same line at the same second is another event, and what the other boot had at its end may be lost', () => {
  const before = bookOf();
  before.read(line('1.5', 13));
  const { cursor } = before.book.since(undefined);
  before.book.end();

  const after = bookOf({ kept: kept(before.book), bootId: 'boot-2' });
  after.read(line('1.5', 13));

  expect(after.book.since(undefined).events).toMatchObject([
    { number: 1, bootId: 'boot-1' },
    { number: 3, bootId: 'boot-2' },
  ]);
  expect(after.book.since(cursor).eventsLost).toBe(true);
});

test.for([null, 7, 'x', {}, { version: 2 }, { version: 1, numbering: 'zz' }])(
  'a kept book that is damaged is as none: %j',
  (kept) => {
    const { book, read } = bookOf({ kept });
    read(line('1.5', 13));

    expect(codes(book)).toEqual([[1, 13]]);
  },
);

test('a flood of lines fills no memory, and is told once', () => {
  const { book, read } = bookOf();
  const flood = Array.from({ length: 20_000 }, (_, at) => line(`${at}.5`, 31)).join('\n');

  read(flood);
  const newest = book.newest;
  read(flood);

  expect(book.newest).toBe(newest);
  expect(book.since(undefined).events.length).toBeLessThanOrEqual(2000);
  expect(JSON.stringify(book).length).toBeLessThan(2 ** 20);
});

test('who listens is called once for each batch, with the newest number', () => {
  const { book, read } = bookOf();
  const heard: number[] = [];
  book.onEvents((newest) => heard.push(newest));

  read([line('1.5', 13), line('2.5', 79)].join('\n'));
  read([line('1.5', 13), line('2.5', 79)].join('\n'));
  book.fromDriver({ pciSlot: '0000:5e:00', xid: 48, gpuInstanceId: null, computeInstanceId: null });

  expect(heard).toEqual([2, 3]);
});
