import { expect, test } from 'vitest';

import type { GpuEvent } from '../../src/core/event.ts';
import { EventBook } from '../../src/server/events/event-book.ts';
import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { keptEvent } from '../../src/server/events/kept-events.ts';
import { kernelLine, kmsgLines, linesOfInterest } from '../../src/server/events/kernel-line.ts';
import { isGpuFault } from '../../src/server/history/burst.ts';

const bootedAtMs = 1_700_000_000_000;

function bookOf(atMs: number, kept?: unknown) {
  const clock = { ms: atMs };
  const book = new EventBook({
    bootId: 'boot-1',
    bootedAtMs,
    nowMs: () => clock.ms,
    monotonicMs: () => clock.ms - bootedAtMs,
    kept,
  });
  const read = (...lines: string[]) =>
    book.readLog(
      eventsIn(linesOfInterest(Buffer.from(lines.join('\n'))).flatMap((line) => kernelLine(line) ?? [])),
    );
  return { book, clock, read };
}

const slot = '0000:3b:00';
const xidLine = (seconds: number, xid: number) =>
  `<4>[${seconds.toFixed(6)}] NVRM: Xid (PCI:${slot}): ${xid}, x`;
const xidEvent = (xid: number) => ({
  pciSlot: slot,
  xid,
  gpuInstanceId: null,
  computeInstanceId: null,
});
const busError = (seconds: number, severity = 'Corrected') =>
  `<4>[${seconds.toFixed(6)}] nvidia 0000:3b:00.0: PCIe Bus Error: severity=${severity}, type=Physical Layer`;

test.for(['driver', 'log'])(
  'a burst of 300 Xids that both sources tell of is 300 events (%s first)',
  (first) => {
    const { book, read } = bookOf(bootedAtMs + 900_000);
    const lines = Array.from({ length: 300 }, (_, at) => xidLine(899 + at / 1000, 45));
    read(xidLine(1, 13));
    const byDriver = () => {
      for (const _ of lines) book.fromDriver(xidEvent(45));
    };

    if (first === 'driver') byDriver();
    read(xidLine(1, 13), ...lines);
    if (first === 'log') byDriver();

    const told = book.since(undefined).events.filter(({ code }) => code === 45);
    expect(told).toHaveLength(300);
    expect(told.every(({ sources }) => sources.length === 2)).toBe(true);
  },
);

test('Xids that the driver tells of in one moment are told apart by their ids', () => {
  const { book } = bookOf(bootedAtMs + 900_000);
  for (let at = 0; at < 50; at++) book.fromDriver(xidEvent(45));

  expect(new Set(book.since(undefined).events.map(({ id }) => id)).size).toBe(50);
});

test('a storm of corrected bus errors hides no Xid, and a reader is told that events were lost', () => {
  const { book, read } = bookOf(bootedAtMs + 900_000);
  read(xidLine(1, 79));
  const { cursor } = book.since(undefined);

  read(xidLine(1, 79), ...Array.from({ length: 20_000 }, (_, at) => busError(2 + at)));

  const page = book.since(cursor);
  expect(page.eventsLost).toBe(true);
  expect(page.events.length).toBeLessThanOrEqual(2000);
  expect(book.since(undefined).events[0]).toMatchObject({ number: 1, code: 79 });
  expect(book.since(page.cursor)).toMatchObject({ eventsLost: false, events: [] });
});

test('a storm of corrected bus errors hides none that the bus did not correct, also over a restart', () => {
  const { book, read } = bookOf(bootedAtMs + 900_000);
  const bad = busError(1, 'Uncorrected (Non-Fatal)');
  read(bad);

  read(bad, ...Array.from({ length: 4000 }, (_, at) => busError(2 + at)));

  const [first] = book.since(undefined).events;
  expect(first).toMatchObject({ number: 1, details: { fatal: false, corrected: false } });
  expect(keptEvent.parse(first)).toEqual(first);
});

test('a book that is too long to be kept is kept without its oldest events, and says so', () => {
  const { book, read } = bookOf(bootedAtMs + 900_000);
  const { cursor } = book.since(undefined);
  read(...Array.from({ length: 2000 }, (_, at) => `${xidLine(1 + at, 31)}${'x'.repeat(900)}`));

  book.end();
  const kept = JSON.parse(JSON.stringify(book));
  const { book: later } = bookOf(bootedAtMs + 901_000, kept);

  expect(JSON.stringify(kept).length).toBeLessThan(2 * 2 ** 20);
  expect(later.newest).toBe(2000);
  const { events, eventsLost } = later.since(cursor);
  expect([events.at(-1)?.number, eventsLost]).toEqual([2000, true]);
});

// The kernel's count of seconds was 100 s behind the wall clock when the last line was read.
test('what was printed while no agent was there is dated between its two lives', () => {
  const before = bookOf(bootedAtMs + 1_000_000);
  before.read();
  before.clock.ms = bootedAtMs + 1_100_000;
  before.read();
  before.read(xidLine(1000, 13));
  before.clock.ms = bootedAtMs + 1_200_000;
  const kept = JSON.parse(JSON.stringify(before.book));

  const after = bookOf(bootedAtMs + 5_000_000, kept);
  after.read(xidLine(1000, 13), xidLine(1050, 31), xidLine(2000, 48), xidLine(9000, 79));
  after.clock.ms += 2000;
  after.read(xidLine(1000, 13), xidLine(1050, 31), xidLine(2000, 48), xidLine(9000, 79), xidLine(4902, 94));

  const dates = after.book.since(undefined).events.map(({ code, atMs }) => [code, (atMs ?? 0) - bootedAtMs]);
  expect(dates).toEqual([
    [13, 1_100_000],
    [31, 1_200_000], // not before the last read
    [48, 2_100_000],
    [79, 5_000_000], // not in the future
    [94, 5_002_000],
  ]);
});

test('only what the kernel says of a fault of a GPU is a reason to sample every second', () => {
  const { book, read } = bookOf(bootedAtMs);
  const heard: GpuEvent[] = [];
  book.onEvents((_, told) => heard.push(...told));

  read(
    xidLine(1, 79),
    busError(2),
    busError(3, 'Uncorrected (Fatal)'),
    `<12>[4.5] NVRM: Xid (PCI:${slot}): 79, by a program`,
    '<4>[5.5] Out of memory (oom_kill_allocating_task): Killed process 7 (python) total-vm:1kB',
  );

  expect(heard.map((event) => [event.kind, event.origin, isGpuFault(event)])).toEqual([
    ['xid', 'kernel', true],
    ['aer', 'kernel', false],
    ['aer', 'kernel', true],
    ['xid', 'userSpace', false],
    ['oomKill', 'kernel', false],
  ]);
});

test('a record of /dev/kmsg with several lines is as many lines, as klogctl gives them', () => {
  const record = `4,12,7100000,-;\\x0aNVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.\\x0aNVRM: caf\\xc3\\xa9`;

  const lines = kmsgLines(record);
  expect(lines.map(({ text }) => text)).toEqual([
    '',
    'NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.',
    'NVRM: café',
  ]);
  expect(eventsIn(lines)[0]).toMatchObject({ kind: 'fallenOffBus', pciSlot: slot, printed: '7.100000' });
});
