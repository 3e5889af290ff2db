import { expect, test } from 'vitest';

import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { kernelLog, kmsgLines } from '../../src/server/events/kernel-line.ts';

const told = (...log: string[]) => eventsIn(kernelLog(Buffer.from(log.join('\n'))).lines);
const crashDump = [
  'NVRM: A GPU crash dump has been created. If possible, please run',
  'NVRM: nvidia-bug-report.sh as root to collect this data before',
  'NVRM: the NVIDIA kernel module is unloaded.',
];
const mismatch = [
  'NVRM: API mismatch: the client has the version 580.126.20, but',
  'NVRM: this kernel module has the version 570.86.10. Please',
  'NVRM: make sure that this kernel module and all NVIDIA driver',
  'NVRM: components have the same version.',
];

test.for(['[99.000001] ', ''])(
  'what the driver says as a matter of course after a GPU was lost is no event of its own (time "%s")',
  (time) => {
    const lost = 'NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=x, GPU has fallen off the bus.';
    const serial = 'NVRM: GPU 0000:3b:00.0: GPU serial number is 1653923026510.';
    const log = [lost, serial, ...crashDump].map((text) => `<4>${time}${text}`);

    expect(told(...log)).toMatchObject([{ kind: 'xid', code: 79, message: lost.replace('NVRM: ', '') }]);
  },
);

test('what the driver says in several lines is one message, whichever way it is read', () => {
  const message = mismatch.join('\n').replaceAll('NVRM: ', '').replaceAll('\n', ' ');
  const expected = [{ kind: 'nvrm', pciSlot: null, printed: '99.000001', message }];

  expect(told(...mismatch.map((text) => `<3>[99.000001] ${text}`))).toMatchObject(expected);
  expect(eventsIn(kmsgLines(`3,1,99000001,-;${mismatch.join('\\x0a')}`))).toMatchObject(expected);
});

test('a GPU that this driver does not know is told in words that make sense', () => {
  const report = [
    'NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:1234)',
    'NVRM: installed in this system is not supported by the',
    'NVRM: NVIDIA 580.126.20 driver release.',
  ].map((text) => `<3>[99.000001] ${text}`);

  expect(told(...report)).toMatchObject([
    { message: 'installed in this system is not supported by the NVIDIA 580.126.20 driver release.' },
  ]);
});

test('control: messages of other times, of GPUs that they name, of programs, or without a time are each their own', () => {
  const failed = 'NVRM: GPU 0000:3b:00.0: RmInitAdapter failed! (0x62:0x40:2477)';

  expect(told('<3>[1.000001] NVRM: one', '<3>[1.000002] NVRM: two')).toHaveLength(2);
  expect(told(`<3>[1.5] ${failed}`, `<3>[1.5] ${failed.replace('3b', '5e')}`)).toHaveLength(2);
  expect(told('<3>[1.5] NVRM: one', '<11>[1.5] NVRM: two')).toHaveLength(2);
  expect(told('<3>NVRM: one', '<3>NVRM: two')).toHaveLength(2);
});

test('a message that goes on without end is cut', () => {
  const [event, ...others] = told(...Array.from({ length: 500 }, () => `<3>[1.5] NVRM: ${'x'.repeat(90)}`));

  expect(others).toEqual([]);
  expect(event?.message.length).toBeLessThan(1100);
});
