import { describe, expect, test } from 'vitest';

import type { GpuReadings } from '../../src/core/gpu.ts';
import type { DriverState } from '../../src/core/snapshot.ts';
import { judge } from '../../src/diagnose/judge.ts';
import { rules } from '../../src/diagnose/rules.ts';
import { driverOk, gpu, nowMs, unreadableGpu } from '../support/gpus.ts';

const away: DriverState = {
  state: 'unavailable',
  code: 'DRIVER_NOT_LOADED',
  message: 'm',
  hint: 'h',
  sinceMs: nowMs - 60_000,
};
const hanging: DriverState = { state: 'notResponding', info: null, sinceMs: nowMs - 60_000 };

describe('a GPU that is not there is failed, whatever was read of it before', () => {
  test.for([
    ['lost', 'it is off the bus'],
    ['vanished', 'the driver no longer offers it'],
    ['hung', 'a driver call on it does not return'],
  ] as const)('%s', ([trouble, text]) => {
    const judgement = judge(gpu(0, {}, { trouble }), driverOk, nowMs);

    expect(judgement).toMatchObject({ verdict: 'failed', action: 'rebootNode' });
    expect(judgement.findings[0]?.text).toBe(`${text}, for 3 min`);
  });
});

test('a GPU whose values take long to read says so, but not where something worse explains it', () => {
  const slow = { ...gpu(0), tookMs: 12_000 };

  expect(judge(slow, driverOk, nowMs)).toMatchObject({
    verdict: 'watch',
    action: 'runDiagnostics',
    findings: [{ text: 'the driver takes long to tell its values: 12 s' }],
  });
  expect(judge({ ...slow, tookMs: 900 }, driverOk, nowMs).findings).toEqual([]);
  expect(judge(slow, hanging, nowMs).findings).toHaveLength(1);
});

describe('what cannot be told is unknown, never ok', () => {
  test.for([
    ['nothing was read yet', unreadableGpu(0, 'notReady', {}, { readAtMs: null }), driverOk],
    ['no reading is supported', unreadableGpu(0, 'notSupported'), driverOk],
    ['no permission for any', unreadableGpu(0, 'noPermission'), driverOk],
    ['one reading fails', gpu(0, { powerWatts: { missing: 'nvmlReturn999' } }), driverOk],
    ['the driver is away', unreadableGpu(0, 'driverUnavailable', { name: 'H100' }), away],
    ['the driver is away, the values old', gpu(0), away],
    ['the driver hangs', gpu(0), hanging],
  ] as const)('%s', ([, state, driver]) => {
    expect(judge(state, driver, nowMs)).toMatchObject({ verdict: 'unknown' });
  });

  test('without any one reading that a rule needs it is not silently ok', () => {
    for (const name of new Set(rules.flatMap(({ needs }) => needs))) {
      const failed = judge(gpu(0, { [name]: { missing: 'nvmlReturn999' } }), driverOk, nowMs);
      const denied = judge(gpu(0, { [name]: { missing: 'noPermission' } }), driverOk, nowMs);

      expect(failed.verdict, name).toBe('unknown');
      expect([...denied.unchecked, ...insteadOf(name)], name).not.toEqual([]);
    }
  });

  test('a GPU that must be reset before it can be read is failed', () => {
    const judgement = judge(gpu(0, { utilization: { missing: 'resetRequired' } }), driverOk, nowMs);

    expect(judgement).toMatchObject({ verdict: 'failed', action: 'resetGpu' });
  });
});

test('what an old board has not is no blind spot where it has something else instead', () => {
  const t4 = judge(
    gpu(0, { remappedRows: { missing: 'notSupported' }, retiredPagesPending: false }),
    driverOk,
    nowMs,
  );

  expect(t4).toMatchObject({ verdict: 'ok', unchecked: [] });
});

test('heat that can be judged neither by degrees nor by margins is a blind spot', () => {
  const missing = { missing: 'noPermission' } as const;
  const { unchecked } = judge(gpu(0, { temperatureC: missing, slowdownMarginC: missing }), driverOk, nowMs);

  expect(unchecked).toEqual(['slowdown temperature: noPermission', 'slowdown margin: noPermission']);
});

test('what could not be looked at is said, with the reason', () => {
  const b200 = gpu(0, {
    slowdownTemperatureC: { missing: 'notSupported' },
    shutdownTemperatureC: { missing: 'notSupported' },
    slowdownMarginC: { missing: 'notSupported' },
    shutdownMarginC: { missing: 'notSupported' },
    recoveryAction: { missing: 'notSupportedByDriver' },
  });

  expect(judge(b200, driverOk, nowMs)).toMatchObject({
    verdict: 'ok',
    unchecked: [
      'shutdown temperature: notSupported',
      'slowdown temperature: notSupported',
      'shutdown margin: notSupported',
      'slowdown margin: notSupported',
      "the driver's recovery action: notSupportedByDriver",
    ],
  });
});

test('old values under a driver that hangs say how old they are', () => {
  const [finding] = judge(gpu(0), hanging, nowMs).findings;

  expect(finding?.text).toBe('the driver is not responding, for 60 s; values are 1 s old');
});

test('without a driver nothing is known of a GPU, and it is said since when', () => {
  const nothing = unreadableGpu(0, 'driverUnavailable', { name: 'H100' }, { readAtMs: null });

  expect(judge(nothing, away, nowMs).findings[0]?.text).toBe(
    'the driver is unavailable (DRIVER_NOT_LOADED), for 60 s; nothing is known of it since',
  );
});

describe('evidence is as old as the reading that it comes from', () => {
  test.for([
    ['a temperature', { temperatureC: 90 }, 1000],
    ['pending retirements, taken once a minute', { retiredPagesPending: true }, 31_000],
    ['a failure of what is taken once a minute', { nvlinks: { missing: 'nvmlReturn999' } }, 31_000],
    [
      'a failure, after which it is asked for each time',
      { temperatureC: { missing: 'nvmlReturn999' } },
      1000,
    ],
  ] as const)('%s', ([, given, ageMs]) => {
    const [finding] = judge(gpu(0, given), driverOk, nowMs).findings;

    expect(finding?.evidence).toMatchObject([{ ageMs }]);
  });
});

/** A board has either row remaps or page retirements, thresholds or margins; the other is no blind spot. */
function insteadOf(name: keyof GpuReadings): string[] {
  const either = ['remappedRows', 'retiredPagesPending', 'temperatureC', 'temperatureMarginC'];
  const limits = ['slowdown', 'shutdown'].flatMap((limit) => [`${limit}TemperatureC`, `${limit}MarginC`]);
  return [...either, ...limits].includes(name) ? [name] : [];
}
