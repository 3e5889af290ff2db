import { expect, test } from 'vitest';

import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { kernelLine, kmsgLines, linesOfInterest } from '../../src/server/events/kernel-line.ts';
import { random } from '../support/answers.ts';

/** What a log as klogctl gives it tells of. */
function told(log: string) {
  const lines = linesOfInterest(Buffer.from(log)).flatMap((line) => kernelLine(line) ?? []);
  return eventsIn(lines);
}

const lost = 'NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus.';

const xids: [line: string, expected: object][] = [
  [`<4>[  123.456789] ${lost}`, { pciSlot: '0000:3b:00', code: 79, printed: '123.456789', origin: 'kernel' }],
  [`<4>${lost}`, { pciSlot: '0000:3b:00', code: 79, printed: null }],
  [
    `<3>[99999.000001][ T1234] ${lost}`,
    { code: 79, printed: '99999.000001', details: { pid: 1234, processName: 'python' } },
  ],
  [`<4>[    1.000000][    C7] ${lost}`, { code: 79, printed: '1.000000' }],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:c1:00.0): 13, pid=7, x',
    { pciSlot: '0000:c1:00', code: 13, details: { pid: 7 } },
  ],
  ['<4>[1.5] NVRM: Xid (0000:03:00): 31, Ch 00000010', { pciSlot: '0000:03:00', code: 31, details: {} }],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:01:00 GPU-I:05 GPU-CI:02): 94, pid=7194, name=a, Contained: CE User Channel (0x9).',
    { pciSlot: '0000:01:00', code: 94, details: { pid: 7194, gpuInstanceId: 5, computeInstanceId: 2 } },
  ],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, Contained',
    { code: 94, details: { gpuInstanceId: 5 } },
  ],
  ['<4>[1.5] NVRM: Xid (PCI:0019:01:00): 63, Row Remapper', { pciSlot: '0019:01:00', code: 63 }],
  ['<4>[1.5] NVRM: Xid (PCI:00010002:01:00): 63, Row Remapper', { pciSlot: '10002:01:00', code: 63 }],
  [
    "<4>[1.5] NVRM: Xid (PCI:0000:41:00): 45, pid='<unknown>', name=<unknown>, Ch 00000008 caused by previous Xid 149",
    { code: 45, details: { causedByXid: 149 } },
  ],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:41:00): 13, pid=9, name=my job (v2): a b, Graphics SM Warp Exception',
    { details: { pid: 9, processName: 'my job (v2): a b' } },
  ],
  [
    '<4>[1.5] NVRM: Xid (PCI:0000:41:00): 31, pid=9, name=job,v2, Ch 00000010, intr 00000000',
    { details: { pid: 9, processName: 'job,v2' } },
  ],
  ['<4>[1.5] NVRM: Xid (PCI:0000:41:00): 45, pid=9, name=job,', { details: { processName: 'job' } }],
  [`<12>[1.5] ${lost}`, { code: 79, origin: 'userSpace' }],
];

test('of the lines that the driver prints for one SXid the first is the event', () => {
  const switchError = (rest: string) =>
    `<3>[7.1] nvidia-nvswitch3: SXid (PCI:0000:86:00.0): 28002, ${rest}\n`;
  const log = [
    'Non-fatal, Link 14 MC TS crumbstore MCTO (First)',
    'Severity 0 Engine instance 14 Sub-engine instance 00',
    'Data {0x00140004, 0x00100000, 0x00000000, 0x00140004, 0x69000000, 0x00000000, 0x00000000}',
  ].map(switchError);

  expect(told(log.join(''))).toMatchObject([{ kind: 'sxid', code: 28_002, details: { link: 14 } }]);
});

test.for(xids)('an Xid: %s', ([line, expected]) => {
  expect(told(`<6>[0.000000] Linux\n${line}\n`)).toMatchObject([{ kind: 'xid', ...expected }]);
});

const others: [line: string, expected: object][] = [
  [
    '<4>[7.1] nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up',
    { kind: 'sxid', pciSlot: '0000:c1:00', code: 20_034, details: { fatal: true, link: 30 } },
  ],
  [
    '<4>[7.1] nvidia-nvswitch11: SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 62 egress non-posted PRIV error (First)',
    { kind: 'sxid', code: 12_028, details: { fatal: false, link: 62 } },
  ],
  [
    '<3>[7.1] NVRM: GPU 0000:18:00.0: GPU has fallen off the bus.',
    { kind: 'fallenOffBus', pciSlot: '0000:18:00' },
  ],
  [
    '<3>[7.1] NVRM: GPU at 0000:06:00.0 has fallen off the bus.',
    { kind: 'fallenOffBus', pciSlot: '0000:06:00' },
  ],
  [
    '<3>[7.1] NVRM: GPU 0000:06:00.0 has fallen off the bus.',
    { kind: 'fallenOffBus', pciSlot: '0000:06:00' },
  ],
  ['<3>[7.1] NVRM: GPU has fallen off the bus.', { kind: 'fallenOffBus', pciSlot: null }],
  [
    '<3>[7.1] NVRM: GPU 0000:18:00.0: RmInitAdapter failed! (0x62:0x40:1860)',
    {
      kind: 'nvrm',
      pciSlot: '0000:18:00',
      message: 'GPU 0000:18:00.0: RmInitAdapter failed! (0x62:0x40:1860)',
    },
  ],
  ['<4>[7.1] NVRM: API mismatch: the client has the version 580.1', { kind: 'nvrm', pciSlot: null }],
  [
    '<4>[7.1] nvidia 0000:3b:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)',
    { kind: 'aer', pciSlot: '0000:3b:00', details: { fatal: false, corrected: true } },
  ],
  [
    '<3>[7.1] pcieport 0000:3a:00.0: AER: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer',
    { kind: 'aer', pciSlot: '0000:3a:00', details: { fatal: true, corrected: false } },
  ],
  [
    '<3>[7.1] nvidia 0000:3b:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer',
    { kind: 'aer', details: { fatal: false, corrected: false } },
  ],
  [
    '<3>[7.1] nvidia 0000:3b:00.0: AER: aer_uncor_severity: 0x00062030',
    { kind: 'aer', pciSlot: '0000:3b:00', details: { fatal: false, corrected: false } },
  ],
  [
    '<3>[7.1] nvidia 0000:3b:00.0: aer_uncor_severity: 0x00062030', // up to Linux 5.0
    { kind: 'aer', pciSlot: '0000:3b:00', details: { fatal: false, corrected: false } },
  ],
  [
    '<3>[7.1] Out of memory: Killed process 4321 (python3) total-vm:1234kB, anon-rss:1kB',
    { kind: 'oomKill', pciSlot: null, details: { pid: 4321, processName: 'python3' } },
  ],
  [
    '<3>[7.1] Memory cgroup out of memory: Killed process 77 (a (b): c) total-vm:1234kB',
    { kind: 'oomKill', details: { pid: 77, processName: 'a (b): c' } },
  ],
  [
    '<3>[7.1] Killed process 4321 (python3) total-vm:1234kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB',
    { kind: 'oomKill', pciSlot: null, details: { pid: 4321, processName: 'python3' } },
  ],
  [
    '<3>[7.1] Killed process 77 (java), UID 1000, total-vm:1234kB, anon-rss:1kB',
    { kind: 'oomKill', details: { pid: 77, processName: 'java' } },
  ],
];

test.for<[line: string, processName: string]>([
  ['Out of memory (oom_kill_allocating_task): Killed process 42 (x) total-vm:1kB, anon-rss:1kB', 'x'],
  ['Out of memory (oom_kill_allocating_task): Killed process 42 (a (b)) total-vm:1kB', 'a (b)'],
  ['Memory cgroup out of memory (oom_kill_allocating_task): Killed process 42 (x) total-vm:1kB', 'x'],
  ['Memory cgroup out of memory: Killed process 42 ((sd-pam)) total-vm:1kB', '(sd-pam)'],
  ['Killed process 42 (a (b)), UID 1000, total-vm:1kB, anon-rss:1kB', 'a (b)'],
])('a killed program has its own name and not the reason why it was chosen: %s', ([line, processName]) => {
  expect(told(`<3>[7.1] ${line}\n`)).toMatchObject([{ kind: 'oomKill', details: { pid: 42, processName } }]);
});

test.for(others)('another event: %s', ([line, expected]) => {
  expect(told(`${line}\n`)).toMatchObject([expected]);
});

test('a report of several lines is one event, of the GPU that its first line names', () => {
  const log = [
    '<3>[99.000001] NVRM: The NVIDIA GPU 0000:86:00.0',
    '<3>[99.000001] NVRM: (PCI ID: 10de:2330) installed in this system has',
    '<3>[99.000001] NVRM: fallen off the bus and is not responding to commands.',
  ].join('\n');

  expect(told(log)).toMatchObject([{ kind: 'fallenOffBus', pciSlot: '0000:86:00' }]);
});

test.for([
  ['a line about such lines', `<4>[1.5] systemd[1]: watching for ${lost}`],
  ['a network driver', '<4>[1.5] mlx5_core 0000:3b:00.0: XID 79 has failed, Xid (0000:3b:00): 79'],
  ['a device plugin', '<14>[1.5] nvidia-device-plugin: XidCriticalError: Xid=79 on Device=GPU-1'],
  ['no priority, so not as klogctl gives it', `[1.5] ${lost}`],
  ['the first line of the driver', '<5>[1.5] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.126.20'],
  ['what the driver says before its first Xid', '<4>[1.5] NVRM: GPU at PCI:0000:3b:00: GPU-0123'],
  ['a serial number', '<4>[1.5] NVRM: GPU Board Serial Number: 1650'],
  ['the word alone', '<4>[1.5] usb 1-1: Product: Xid'],
  [
    'a kill that is yet to come',
    '<3>[1.5] Memory cgroup out of memory: Kill process 7 (python3) score 900 or sacrifice child',
  ],
  ['a kill that the kernel did not do', '<14>[1.5] Killed process 7 (python3) by hand'],
  ['a kill that was only thought of', '<4>[1.5] oom-kill:constraint=CONSTRAINT_MEMCG,task=python,pid=7'],
])('no event: %s', ([, line]) => {
  expect(told(line ?? '')).toEqual([]);
});

test('a record of /dev/kmsg is the same line as klogctl gives', () => {
  const fromKmsg = kmsgLines(`4,1234,123456789,-,caller=T42;${lost}`);

  expect(fromKmsg).toEqual([kernelLine(`<4>[  123.456789][  T42] ${lost}`)]);
  expect(kmsgLines(`12,7,5,-;${lost}`)).toMatchObject([{ origin: 'userSpace', printed: '0.000005' }]);
  expect(kmsgLines(' SUBSYSTEM=pci')).toEqual([]);
});

test('what a line brings along is text: it cannot move a cursor, and is cut', () => {
  const [event] = told(`<4>[1.5] NVRM: Xid (PCI:0000:3b:00): 13, \u001b[31m\u0007${'x'.repeat(5000)}`);

  expect(event?.message).not.toMatch(/\p{Cc}/u);
  expect(event?.message.length).toBeLessThan(1100);
});

const pieces = [
  ...xids.map(([line]) => line),
  ...others.map(([line]) => line),
  '<',
  '>',
  '[',
  ']',
  '(',
  ')',
  ': ',
  ', ',
  'PCI:',
  'NVRM: ',
  'Xid ',
  'pid=',
  'name=',
  '\n',
  '\0',
  '\u{1f525}',
  ' '.repeat(50),
  '7'.repeat(30),
];

test.for([1, 2, 3, 4, 5])('real lines torn and mixed with noise crash nothing, round %i', (seed) => {
  const next = random(seed);
  for (let round = 0; round < 300; round++) {
    const log = Array.from({ length: 30 }, () => {
      const piece = pieces[Math.floor(next() * pieces.length)] ?? '';
      return next() < 0.5 ? piece : piece.slice(Math.floor(next() * piece.length));
    }).join(next() < 0.3 ? '' : '\n');

    for (const event of told(log)) {
      expect(event.message).not.toMatch(/[\p{Cc}\n]/u);
      expect(event.pciSlot ?? '0000:00:00').toMatch(/^[\da-f]{4,8}:[\da-f]{2}:[\da-f]{2}$/);
      if (event.code !== null) expect(Number.isSafeInteger(event.code)).toBe(true);
    }
  }
});

test.each([
  ['blanks', `<4>${' '.repeat(2 ** 21)}NVRM: Xid (`],
  ['brackets', `<4>${'['.repeat(2 ** 21)}NVRM: Xid (`],
  ['half lines', `<4>[1.5] NVRM: Xid (PCI:0000:3b:00): ${'7'.repeat(2 ** 21)}`],
  ['prefixes', '<4>[1.5] NVRM: Xid (PCI:'.repeat(2 ** 17)],
  ['names', `<4>[1.5] NVRM: Xid (PCI:0000:3b:00): 13, pid=1, name=${'('.repeat(2 ** 21)}`],
  ['killed', `<4>[1.5] Out of memory: Killed process 1 (${')'.repeat(2 ** 21)}`],
  ['killed in the old form', '<4>[1.5] Killed process 1 (a total-vm'.repeat(2 ** 16)],
  ['bus errors', `<4>[1.5] ${'a'.repeat(2 ** 21)} 0000:3b:00.0: PCIe Bus Error: severity=`],
])('2 MiB of %s are read in no time: what is not linear would take minutes', (_, log) => {
  expect(told(log).length).toBeLessThan(2);
});
