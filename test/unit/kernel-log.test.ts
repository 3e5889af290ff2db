import { expect, test } from 'vitest';

import { linesWithXids, pciSlot, XidBook, xidsIn } from '../../src/server/kernel-log.ts';
import { watchKernelLog } from '../../src/server/kernel-log-reader.ts';
import type { KernelLogRead } from '../../src/server/libc.ts';

const lost = 'NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus.';

const forms: [line: string, expected: object][] = [
  [`<4>[  123.456789] ${lost}`, { slot: '0000:3b:00', xid: 79, bootS: 123.456789 }],
  [`<4>${lost}`, { slot: '0000:3b:00', xid: 79, bootS: null }],
  [`<3>[99999.000001][ T1234] ${lost}`, { slot: '0000:3b:00', xid: 79, bootS: 99_999.000001 }],
  [`<4>[    1.000000][    C7] ${lost}`, { slot: '0000:3b:00', xid: 79, bootS: 1 }],
  ['<4>[1.5] NVRM: Xid (PCI:0000:c1:00.0): 13, pid=7, x', { slot: '0000:c1:00', xid: 13, bootS: 1.5 }],
  ['<4>[1.5] NVRM: Xid (0000:03:00): 31, Ch 00000010', { slot: '0000:03:00', xid: 31, bootS: 1.5 }],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:01:00 GPU-I:05 GPU-CI:00): 94, pid=7194, Contained: CE User Channel (0x9).',
    { slot: '0000:01:00', xid: 94, bootS: 1.5 },
  ],
  ['<4>[1.5] NVRM: Xid (PCI:0019:01:00): 63, Row Remapper', { slot: '0019:01:00', xid: 63, bootS: 1.5 }],
  ["<4>[1.5] NVRM: Xid (PCI:0000:41:00): 45, pid='<unknown>', Ch 1", { slot: '0000:41:00', xid: 45 }],
];

test.for(forms)('%s', ([line, expected]) => {
  expect(xidsIn(`<6>[0.000000] Linux\n${line}\n`)).toMatchObject([expected]);
});

test.for([
  ['a program wrote it to /dev/kmsg', `<12>[1.5] ${lost}`],
  ['a daemon wrote it', `<28>[1.5] ${lost}`],
  ['a line about such lines', `<4>[1.5] systemd[1]: watching for ${lost}`],
  ['no priority, so not as klogctl gives it', `[1.5] ${lost}`],
  ['no address', '<4>[1.5] NVRM: Xid (): 79, pid=1'],
  ['no code', '<4>[1.5] NVRM: Xid (PCI:0000:3b:00): GPU has fallen off the bus'],
  ['another message of the driver', '<4>[1.5] NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.'],
  ['the word alone', '<4>[1.5] usb 1-1: Product: Xid'],
])('not an Xid: %s', ([, line]) => {
  expect(xidsIn(line ?? '')).toEqual([]);
});

test.for<[xid: number, message: string, fatal: boolean]>([
  [79, 'pid=1, GPU has fallen off the bus.', true],
  [48, 'DBE (double bit error)', true],
  [13, 'Graphics SM Warp Exception', false],
  [43, 'pid=1, Ch 00000008', false],
  [94, 'Contained: SM (0x1). RST: No, D-RST: No', false],
  [95, 'Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No', true],
  [149, 'NETIR_LINK_EVT Fatal XC1 i0 Link 08 (0x004505c6 0x00000000)', true],
  [149, 'NETIR_LINK_EVT Nonfatal XC0 i0 Link 08 (0x004505c6 0x00000000)', false],
  [154, 'GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)', true],
  [154, 'GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)', false],
])('Xid %i, %s: fatal %s', ([xid, message, fatal]) => {
  expect(xidsIn(`<4>[1.5] NVRM: Xid (PCI:0000:3b:00): ${xid}, ${message}`)).toMatchObject([{ xid, fatal }]);
});

test('a line and a GPU meet by domain, bus and device', () => {
  expect(['0000:3b:00.0', '00000000:3B:00.0', '0000:3B:00'].map(pciSlot)).toEqual(
    Array(3).fill('0000:3b:00'),
  );
  expect(pciSlot('00010000:3b:00.0')).toBe('10000:3b:00');
});

test.each([
  ['blanks', `<4>${' '.repeat(2 ** 21)}NVRM: Xid (`],
  ['brackets', `<4>${'['.repeat(2 ** 21)}NVRM: Xid (`],
  ['half lines', `<4>[1.5] NVRM: Xid (PCI:0000:3b:00): ${'7'.repeat(2 ** 21)}`],
  ['prefixes', '<4>[1.5] NVRM: Xid (PCI:'.repeat(2 ** 17)],
])('2 MiB of %s are read in no time: what is not linear would take minutes', (_, log) => {
  expect(xidsIn(log)).toEqual([]);
});

test('the newest line of each GPU, Xid and severity is kept, in wall-clock time', () => {
  const book = new XidBook(1_700_000_000);
  const line = (s: number, slot: string, xid: number) =>
    `<4>[${s}.250000] NVRM: Xid (PCI:${slot}): ${xid}, x`;

  const first = [line(1, '0000:3b:00', 13), line(2, '0000:3b:00', 79), line(9, '0000:3b:00', 13)].join('\n');
  const secondAtS = 1_700_000_900; // the kernel's own clock lags
  book.read(first, 1_700_000_800);
  book.read(`${first}\n${line(10, '0000:5e:00', 31)}`, secondAtS);
  book.read(`${first}\n${line(10, '0000:5e:00', 31)}`, secondAtS + 10);

  expect(book.seen).toEqual([
    { slot: '0000:3b:00', xid: 79, fatal: true, atS: 1_700_000_002.25 },
    { slot: '0000:3b:00', xid: 13, fatal: false, atS: 1_700_000_009.25 },
    { slot: '0000:5e:00', xid: 31, fatal: false, atS: secondAtS },
  ]);
  expect(['0000:3b:00', '0000:5e:00', '0000:86:00'].map((slot) => book.lastOf(slot))).toEqual([13, 31, 0]);
});

test('an Xid that is logged late, or in the same microsecond as another, is not passed over', () => {
  const book = new XidBook(0);
  const line = (seconds: string, slot: string) => `<4>[${seconds}] NVRM: Xid (PCI:${slot}): 79, x`;

  book.read(line('5.500000', '0000:3b:00'), 100);
  const all = [
    line('5.500000', '0000:3b:00'),
    line('5.500000', '0000:5e:00'),
    line('5.499999', '0000:86:00'),
  ];
  book.read(all.join('\n'), 110);

  expect(book.seen.map(({ slot, atS }) => [slot, atS])).toEqual([
    ['0000:3b:00', 5.5],
    ['0000:5e:00', 110],
    ['0000:86:00', 110],
  ]);
});

test('what was seen stays when the log is cleared, and a log full of addresses fills nothing', () => {
  const book = new XidBook(0);
  const many = Array.from(
    { length: 1000 },
    (_, at) => `<4>[${at}.000000] NVRM: Xid (PCI:${at.toString(16).padStart(4, '0')}:01:00): 79, x`,
  );

  book.read(many.join('\n'), 5000);
  book.read('', 5010);

  expect(book.seen).toHaveLength(64);
  expect(book.seen.at(-1)).toMatchObject({ slot: '03e7:01:00', atS: 999 });
});

test('a log that may not be read is told once, and nothing is known of Xids then', async () => {
  const told: string[] = [];
  const tell = (msg: string) => void told.push(msg);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  let answer: KernelLogRead = { errno: 1 };
  let reads = 0;
  const read = () => {
    reads++;
    return answer;
  };

  const xids = watchKernelLog(read, { intervalMs: 5, bootedAtS: 0, log });
  await expect.poll(() => reads).toBeGreaterThan(3);
  expect(xids()).toBeUndefined();
  expect(told).toEqual([expect.stringContaining('SYSLOG')]);

  answer = { bytes: Buffer.from(`<4>[1.5] ${lost}`) };
  await expect.poll(() => xids()?.lastOf('0000:3b:00')).toBe(79);
});

test('of a log only the lines that may tell of an Xid become a text', () => {
  const xid = '<4>[  1.5] NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.';
  const log = ['<6>[  1.0] a', xid, '<6>[  2.0] b', `${xid} NVRM: Xid (`, '<6>[  3.0] c'].join('\n');

  expect(linesWithXids(Buffer.from(log))).toBe(`${xid}\n${xid} NVRM: Xid (`);
  expect(linesWithXids(Buffer.from(xid))).toBe(xid);
  expect(linesWithXids(Buffer.from('<6>[  1.0] a'))).toBe('');
});
