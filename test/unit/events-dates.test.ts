import { expect, test } from 'vitest';

import { EventBook } from '../../src/server/events/event-book.ts';
import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { kernelLog } from '../../src/server/events/kernel-line.ts';

const bootedAtMs = 1_700_000_000_000;

/** An agent that looks at the log, which it has read once, 900 s after the node's boot. */
function agent() {
  const clock = { uptimeMs: 900_000, setByMs: 0 };
  const nowMs = () => bootedAtMs + clock.uptimeMs + clock.setByMs;
  const book = new EventBook({ bootId: 'boot-1', bootedAtMs, nowMs, monotonicMs: () => clock.uptimeMs });
  const log: string[] = [];
  const look = () => {
    const { lines, span } = kernelLog(Buffer.from(log.join('\n')));
    book.readLog(eventsIn(lines), span);
  };
  const print = (seconds: number, code: number, instance = '') =>
    log.push(`<4>[${seconds.toFixed(6)}] NVRM: Xid (PCI:0000:3b:00${instance}): ${code}, x`);
  /** In seconds after the boot, by the clock as it stands. */
  const dates = () =>
    book.since(undefined).events.map(({ code, atMs }) => [code, ((atMs ?? 0) - bootedAtMs) / 1000]);
  look();
  return { book, clock, look, print, dates };
}

const byDriver = (xid: number, gpuInstanceId: number | null = null) => ({
  pciSlot: '0000:3b:00',
  xid,
  gpuInstanceId,
  computeInstanceId: gpuInstanceId,
});

test('lines that are read together are dated by when each was printed, not all by the look that found them', () => {
  const { clock, look, print, dates } = agent();

  print(901.25, 31);
  print(903.5, 48);
  clock.uptimeMs = 905_000;
  look();

  expect(dates()).toEqual([
    [31, 901.25],
    [48, 903.5],
  ]);
});

test('an agent that stood still for 20 s dates what was printed meanwhile right, and pairs it with what the driver tells only then', () => {
  const { book, clock, look, print, dates } = agent();

  print(901, 79);
  clock.uptimeMs = 921_000;
  look();
  clock.uptimeMs = 921_300;
  book.fromDriver(byDriver(79));

  expect(dates()).toEqual([[79, 901]]);
  expect(book.since(undefined).events).toMatchObject([{ sources: ['kernelLog', 'nvml'] }]);
});

test("the kernel's seconds are set right by the looks between which a line came", () => {
  const { clock, look, print, dates } = agent();

  clock.uptimeMs = 1_000_000;
  look();
  print(700, 31); // 302 s behind
  clock.uptimeMs = 1_005_000;
  look();
  print(706, 13);
  clock.uptimeMs = 1_010_000;
  look();
  print(3000, 48); // far ahead
  print(3000.5, 79);
  look();

  expect(dates()).toEqual([
    [31, 1000],
    [13, 1006],
    [48, 1010],
    [79, 1010],
  ]);
});

test('a look at a log that is as it was narrows when the next line can have come', () => {
  const { book, clock, look, print, dates } = agent();

  clock.uptimeMs = 90_000_000;
  book.logUnchanged();
  print(89_900, 31); // 100 s behind after a day
  clock.uptimeMs = 90_005_000;
  look();

  expect(dates()).toEqual([[31, 90_000]]);
});

test.for([7200, -7200])('a clock that is set by %i s between two looks dates nothing wrong', (setByS) => {
  const { clock, look, print, dates } = agent();

  print(901, 31);
  clock.uptimeMs = 905_000;
  look();
  print(907, 48);
  clock.setByMs = 1000 * setByS;
  clock.uptimeMs = 910_000;
  look();

  expect(dates()).toEqual([
    [31, 901 + setByS],
    [48, 907 + setByS],
  ]);
});

test('an Xid of which the driver tells before its line is one event still, also where the two clocks differ', () => {
  const { book, clock, look, print, dates } = agent();

  clock.uptimeMs = 904_000;
  print(600, 79);
  book.fromDriver(byDriver(79));
  clock.uptimeMs = 909_000;
  look();

  expect(dates()).toEqual([[79, 904]]);
  expect(book.since(undefined).events).toMatchObject([{ sources: ['nvml', 'kernelLog'] }]);
});

test.for<[first: string, line: string, expected: object]>([
  ['driver', '', { gpuInstanceId: 5, computeInstanceId: 5 }],
  ['log', '', { gpuInstanceId: 5, computeInstanceId: 5 }],
  ['driver', ' GPU-I:05', { gpuInstanceId: 5, computeInstanceId: 5 }],
  ['log', ' GPU-I:05', { gpuInstanceId: 5, computeInstanceId: 5 }],
])(
  'the GPU instance that only the driver tells is kept with the words of the line (%s first, line "%s")',
  ([first, line, details]) => {
    const { book, clock, look, print } = agent();
    clock.uptimeMs = 901_000;
    print(900.5, 94, line);

    if (first === 'driver') book.fromDriver(byDriver(94, 5));
    look();
    if (first === 'log') book.fromDriver(byDriver(94, 5));

    expect(book.since(undefined).events).toMatchObject([
      { details, message: expect.stringContaining('94, x') },
    ]);
  },
);

test('the GPU instance that only the line tells is kept when the driver names none', () => {
  const { book, look, print } = agent();

  book.fromDriver(byDriver(94));
  print(900.5, 94, ' GPU-I:05');
  look();

  expect(book.since(undefined).events).toMatchObject([{ details: { gpuInstanceId: 5 } }]);
});
