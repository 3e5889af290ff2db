import { expect, test } from 'vitest';

import {
  bits,
  camelCase,
  type Form,
  json,
  jsonOf,
  lowerCase,
  mebibytes,
  microseconds,
  number,
  onOff,
  pciAddress,
  text,
  watts,
  words,
  yesNo,
} from '../oracle/check.ts';
import { apart, compare } from '../oracle/compare.ts';

const of = (reading: unknown) => reading;
const steady = (told: string | undefined) => ({ before: told, after: told });

const mebibyte = 2 ** 20;
const alike: [ours: unknown, told: string, form: Form][] = [
  ['NVIDIA H100 80GB HBM3', 'NVIDIA H100 80GB HBM3', text],
  ['7.16', '7.16', text],
  ['', '', text],
  ['hopper', 'Hopper', lowerCase],
  ['0000:3b:00.0', '00000000:3B:00.0', pciAddress],
  ['10001:c1:00.0', '00010001:C1:00.0', pciAddress],
  [59, '59', number()],
  [-2, '-2 C', number()],
  [16, '16x', number()],
  [8, 'P8', number()],
  [2560, '2560 bank(s)', number()],
  [81_559 * mebibyte, '81559 MiB', mebibytes],
  [478.25 * mebibyte, '479', mebibytes],
  [478.75 * mebibyte, '478', mebibytes],
  [629.454, '629.45 W', watts],
  [91.403_239_4, '91403239 us', microseconds],
  [true, 'Enabled', onOff],
  [false, 'Disabled', onOff],
  [true, 'Yes', yesNo],
  ['passthrough', 'Pass-Through', words({ 'Pass-Through': 'passthrough' })],
  [['gpuIdle', 'hwSlowdown'], '0x0000000000000009', bits({ gpuIdle: 1, hwSlowdown: 8 })],
  [[], '0x0000000000000000', bits({ gpuIdle: 1 })],
];

test.for(alike)('%o is what an oracle writes as "%s"', ([ours, told, form]) => {
  expect(compare({ of, form }, ours, steady(told))).toBe('agrees');
});

const different: [ours: unknown, told: string, form: Form][] = [
  ['NVIDIA H100 80GB HBM3', 'NVIDIA H200', text],
  ['7.1', '7.10', text],
  ['0000:3b:00.0', '00000000:3C:00.0', pciAddress],
  [59, '60', number()],
  [8, '-8 C', number()],
  [0.059, '59', number()],
  [81_559, '81559 MiB', mebibytes],
  [81_561 * mebibyte, '81559 MiB', mebibytes],
  [70_000, '70.00 W', watts],
  [70, '70.05 W', watts],
  [91_403_239, '91403239 us', microseconds],
  [false, 'Enabled', onOff],
  [true, 'No', yesNo],
  ['default', 'Exclusive_Process', words({ Default: 'default' })],
  ['default', 'A word of tomorrow', words({ Default: 'default' })],
  [['gpuIdle'], '0x0000000000000008', bits({ gpuIdle: 1, hwSlowdown: 8 })],
];

test.for(different)('%o differs from "%s"', ([ours, told, form]) => {
  expect(compare({ of, form }, ours, steady(told))).toBe('differs');
});

const absences = [
  '[N/A]',
  'N/A',
  '[Not Supported]',
  '[Unknown Error]',
  '[Insufficient Permissions]',
  '[Requested functionality has been deprecated]',
  '[GPU is lost]',
  '',
  undefined,
];

test.for(absences)('%s is no value: missing there, or in both', (told) => {
  for (const form of [text, number(), mebibytes, onOff, bits({ gpuIdle: 1 })]) {
    expect(compare({ of, form }, 0, steady(told))).toBe('missing there');
    expect(compare({ of, form }, null, steady(told))).toBe('missing in both');
  }
});

test('a value that only the oracle has is missing here, whether the reading is or only a part of it', () => {
  expect(compare({ of, form: number() }, null, steady('0'))).toBe('missing here');
  expect(compare({ of: () => undefined, form: number() }, { dram: 1 }, steady('0'))).toBe('missing here');
});

test('a word that stands for a state of ours is a value, although it reads like none', () => {
  const form = words({ 'N/A': 'notSupported' });

  expect(compare({ of, form }, 'notSupported', steady('N/A'))).toBe('agrees');
  expect(compare({ of, form }, 'completed', steady('N/A'))).toBe('differs');
});

const moving: [ours: number, before: string, after: string, verdict: string][] = [
  [60, '60', '64', 'agrees'],
  [64, '60', '64', 'agrees'],
  [62, '60', '64', 'moved'],
  [62, '64', '60', 'moved'],
  [57, '60', '64', 'moved'],
  [56, '60', '64', 'differs'],
  [68, '60', '64', 'differs'],
];

test.for(moving)('%i between %s and %s, or at most 3 away, %s', ([ours, before, after, verdict]) => {
  expect(compare({ of, form: number(), moves: 3 }, ours, { before, after })).toBe(verdict);
});

test('what does not move differs although the oracle changed its mind on both sides of it', () => {
  expect(compare({ of, form: number() }, 62, { before: '60', after: '64' })).toBe('differs');
});

test('a state has moved only where the oracle has seen it change, too', () => {
  const check = { of, form: bits({ gpuIdle: 1, swPowerCap: 4 }), moves: 0 };

  expect(compare(check, ['gpuIdle'], { before: '0x0', after: '0x4' })).toBe('moved');
  expect(compare(check, ['gpuIdle'], { before: '0x0', after: '0x0' })).toBe('differs');
});

const members: [ours: object, before: string, after: string, verdict: string][] = [
  [{ a: 60, b: 'x' }, '{"b": "x", "a": 60}', '{"b": "x", "a": 60}', 'agrees'],
  [{ a: 62, b: 'x' }, '{"a": 60, "b": "x"}', '{"a": 64, "b": "x"}', 'moved'],
  [{ a: 62, b: 'x' }, '{"a": 60, "b": "y"}', '{"a": 60, "b": "y"}', 'differs'],
  [{ a: 60, b: 1 }, '{"a": 60}', '{"a": 60, "b": 1}', 'agrees'],
  [{ a: 61, b: 1 }, '{"a": 60}', '{"a": 60, "b": 1}', 'moved'],
  [{ a: 60 }, '{"a": 60, "b": 1}', '{"a": 60, "b": 1}', 'differs'],
  [[41, 43], '[40, 44]', '[40, 44]', 'moved'],
  [[41, 43], '[40, 44, 45]', '[40, 44, 45]', 'differs'],
  [{}, '[error: Not Supported]', '[error: Not Supported]', 'missing in both'],
];

test.for(members)('%o between %s and %s, each at most 3 away, %s', ([ours, before, after, verdict]) => {
  expect(compare({ of, form: json, moves: 3 }, ours, { before, after })).toBe(verdict);
});

test('of values with members those that are apart are told, however deep', () => {
  const ours = { links: [{ replays: 1 }, { replays: 2, crc: 3 }], mode: 'on' };
  const theirs = { links: [{ replays: 1 }, { replays: 5, crc: 3 }, {}], mode: 'on' };

  expect(apart(ours, theirs)).toEqual([
    { links: { 1: { replays: 2 }, 2: undefined } },
    { links: { 1: { replays: 5 }, 2: {} } },
  ]);
});

test('a fraction that two languages round differently is the same, a count that differs by one is not', () => {
  expect(compare({ of, form: json }, 3 * 10 ** -5, steady('3e-05'))).toBe('agrees');
  expect(compare({ of, form: json }, 2 ** 40, steady(String(2 ** 40 + 1)))).toBe('differs');
});

test('constants of C are read as our words, and words of our own where there are such', () => {
  const form = jsonOf(words({ SYSTEM: 'SYS' }));

  expect(jsonOf(camelCase).read('["EXCLUSIVE_PROCESS", 1, null]')).toEqual(['exclusiveProcess', 1, null]);
  expect(form.read('{"0000:2b:00.0": "SYSTEM"}')).toEqual({ '0000:2b:00.0': 'SYS' });
  expect(form.read('[error: SYSTEM]')).toBe('[error: SYSTEM]');
});
