import { expect, test } from 'vitest';
import { checkLimits, defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { checkLadder } from '../../src/core/deadlines.ts';
import { Fault, faults, isFaultCode } from '../../src/core/fault.ts';

test.for(Object.entries(faults))('%s has a hint that says what to do', ([code, { hint }]) => {
  expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  expect(hint.length).toBeGreaterThan(10);
  expect(hint.length).toBeLessThan(200);
  expect(hint).not.toContain(code);
});

test('a fault carries its code, its hint and its cause', () => {
  const cause = new Error('below');

  const fault = new Fault('what happened', { code: 'NODE_TIMEOUT', cause });

  expect(fault).toMatchObject({ message: 'what happened', code: 'NODE_TIMEOUT', retryable: true, cause });
  expect(fault.hint).toBe(faults.NODE_TIMEOUT.hint);
});

test('whatever was thrown becomes a fault; a fault stays what it is', () => {
  const fault = new Fault('x', { code: 'BAD_ARGUMENT' });

  expect(Fault.from(fault)).toBe(fault);
  expect(Fault.from(new TypeError('no'))).toMatchObject({ code: 'INTERNAL', message: 'no' });
  expect(Fault.from('text')).toMatchObject({ code: 'INTERNAL', message: 'text' });
});

test('only own codes are codes, not what every object has', () => {
  expect(isFaultCode('NODE_TIMEOUT')).toBe(true);
  expect(isFaultCode('toString')).toBe(false);
  expect(isFaultCode('FROM_THE_FUTURE')).toBe(false);
  expect(isFaultCode(undefined)).toBe(false);
});

test('a ladder of waits must rise: equal rungs are refused, and named', () => {
  expect(() =>
    checkLadder([
      ['inner', 1000],
      ['outer', 1001],
    ]),
  ).not.toThrow();
  expect(() =>
    checkLadder([
      ['inner', 1000],
      ['outer', 1000],
    ]),
  ).toThrow('outer (1000 ms) must be longer than inner (1000 ms)');
  expect(() =>
    checkLadder([
      ['a', 1],
      ['b', 3],
      ['c', 2],
    ]),
  ).toThrow('c (2 ms) must be longer than b (3 ms)');
});

test('our own waits rise, and each of them is on the ladder', () => {
  expect(() => checkLimits(defaultLimits)).not.toThrow();
  for (const rung of ['attemptMs', 'firstAttemptMs', 'nodeMs', 'fanOutMs'] as const)
    expect(() => checkLimits({ ...defaultLimits, [rung]: defaultLimits.hostMs }), rung).toThrow(
      'must be longer',
    );
  for (const rung of ['firstAttemptMs', 'nodeMs', 'fanOutMs'] as const)
    expect(
      () => checkLimits({ ...defaultLimits, exec: { ...defaultLimits.exec, [rung]: defaultLimits.hostMs } }),
      rung,
    ).toThrow('must be longer');
});
