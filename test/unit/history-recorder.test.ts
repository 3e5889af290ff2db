import { describe, expect, test } from 'vitest';

import { historyKey, type Moment, seriesNames } from '../../src/core/history.ts';
import type { DriverState, GpuState } from '../../src/core/snapshot.ts';
import { History } from '../../src/server/history/history.ts';
import { Recorder } from '../../src/server/history/recorder.ts';
import { driverOk, gpu, nowMs, readAtMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const moment: Moment = { atMs: 1_800_000_000_000, monotonicMs: 5_000_000, bootId: 'b' };

/** Rounds of 10 s each. */
function recorded(rounds: readonly (readonly GpuState[])[], driver: DriverState = driverOk) {
  const history = new History({ intervalMs: 10_000, now: () => moment });
  const recorder = new Recorder(history);
  rounds.forEach((gpus, at) => {
    const later = 10_000 * at;
    recorder.round(snapshot(gpus, driver), nowMs + later, {
      ...moment,
      atMs: moment.atMs + later,
      monotonicMs: moment.monotonicMs + later,
    });
  });
  return (one: GpuState) => history.rows({ gpuKey: historyKey(one) ?? '' }).rows;
}

const shown = (row: { values: readonly (number | null)[] } | undefined, name: string) =>
  row?.values[seriesNames.indexOf(name as (typeof seriesNames)[number])];

test('what was read is written down with the time at which it was read', () => {
  const rows = recorded([[gpu(0, { clocksEventReasons: ['swPowerCap', 'gpuIdle'] })]])(gpu(0));

  expect(rows).toMatchObject([
    { row: 1, atMs: moment.atMs - 1000, monotonicMs: moment.monotonicMs - 1000, absence: null },
  ]);
  expect(rows[0]?.reasons).toEqual(['gpuIdle', 'swPowerCap']);
  expect(shown(rows[0], 'gpuUtilizationPercent')).toBe(60);
  expect(shown(rows[0], 'memoryUsedBytes')).toBe(20 * 2 ** 30);
  expect(shown(rows[0], 'temperatureC')).toBe(55);
  expect(shown(rows[0], 'nvlinkRxBytesPerSecond')).toBe(Math.fround(78_000_000_000));
  expect(rows[0]?.values).not.toContain(null);
});

test('what a board does not tell is missing, and the others are there', () => {
  const rows = recorded([[gpu(0, { memoryTemperatureC: { missing: 'notSupported' } })]])(gpu(0));

  expect(shown(rows[0], 'memoryTemperatureC')).toBeNull();
  expect(shown(rows[0], 'temperatureC')).toBe(55);
});

test('a GPU that hangs has rows without values from then on, not the old values again', () => {
  const hanging = gpu(0, {}, { trouble: 'hung' });
  const rows = recorded([[gpu(0)], [hanging], [hanging]])(gpu(0));

  expect(rows.map(({ absence }) => absence)).toEqual([null, 'hung', 'hung']);
  expect(shown(rows[2], 'temperatureC')).toBeNull();
});

test.for([
  ['lost', gpu(0, {}, { trouble: 'lost', readAtMs: readAtMs + 10_000 })],
  ['vanished', gpu(0, {}, { trouble: 'vanished', readAtMs: null })],
] as const)('a GPU that is %s is told as such', ([kind, state]) => {
  const nothing = {
    ...state,
    readings: { ...unreadableGpu(0, 'gpuLost').readings, uuid: gpu(0).readings.uuid },
    rates: null,
  };

  const rows = recorded([[gpu(0)], [nothing]])(gpu(0));

  expect(rows.map(({ absence }) => absence)).toEqual([null, kind]);
});

test('a driver that has gone away leaves rows that say so', () => {
  const away: DriverState = {
    state: 'unavailable',
    code: 'DRIVER_NOT_LOADED',
    message: 'm',
    hint: 'h',
    sinceMs: 0,
  };

  const rows = recorded([[gpu(0)], [gpu(0)]], away)(gpu(0));

  expect(rows.map(({ absence }) => absence)).toEqual([null, 'driverUnavailable']);
});

test('a driver that no longer responds leaves a row that says so', () => {
  const silent: DriverState = { state: 'notResponding', info: null, sinceMs: 0 };
  const absencesUnder = (driver: DriverState) =>
    recorded([[gpu(0)], [gpu(0)]], driver)(gpu(0)).map(({ absence }) => absence);

  expect(absencesUnder(silent)).toEqual([null, 'driverNotResponding']);
  expect(absencesUnder(driverOk)).toEqual([null]);
});

test('a GPU that must be reset is told as such, and one that gives no value for another reason is unreadable', () => {
  const read = { readAtMs: readAtMs + 10_000 };
  const absenceOf = (missing: 'resetRequired' | 'nvmlReturn999') => {
    const refused = { ...unreadableGpu(0, missing, {}, read), rates: null };
    const { uuid } = gpu(0).readings;
    return recorded([[gpu(0)], [{ ...refused, readings: { ...refused.readings, uuid } }]])(gpu(0))[1]
      ?.absence;
  };

  expect(absenceOf('resetRequired')).toBe('resetRequired');
  expect(absenceOf('nvmlReturn999')).toBe('unreadable');
});

test('after a GPU that took longer to be read than a gap stands why there is nothing in between', () => {
  const slow = { ...gpu(0, {}, { readAtMs: readAtMs + 10_000 }), tookMs: 60_000 };
  const quickAgain = gpu(0, {}, { readAtMs: readAtMs + 80_000 });
  const meanwhile = Array.from({ length: 6 }, () => [gpu(0)]);

  const rows = recorded([[gpu(0)], ...meanwhile, [slow], [quickAgain]])(gpu(0));

  expect(rows.map(({ absence, atMs }) => [absence, atMs - moment.atMs])).toEqual([
    [null, -1000],
    [null, 9000],
    ['slow', 70_000],
    [null, 79_000],
  ]);
});

test('a GPU that is still being read has no row until it is: it is not unreadable', () => {
  const later = gpu(0, {}, { readAtMs: readAtMs + 20_000 });
  const rows = recorded([[gpu(0)], [gpu(0)], [later]])(gpu(0));

  expect(rows.map(({ absence, atMs }) => [absence, atMs - moment.atMs])).toEqual([
    [null, -1000],
    [null, 19_000],
  ]);
});

test('a GPU whose index changes keeps its history; one without UUID is known by its PCI address', () => {
  const noUuid = (index: number, read: number) =>
    gpu(index, { uuid: { missing: 'notSupported' }, pciAddress: '0000:3b:00.0' }, { readAtMs: read });
  const moved = { ...gpu(0, {}, { readAtMs: readAtMs + 10_000 }), index: 1 };

  const rows = recorded([
    [gpu(0), noUuid(1, readAtMs)],
    [noUuid(0, readAtMs + 10_000), moved],
  ]);

  expect(rows(gpu(0)).map(({ row }) => row)).toEqual([1, 2]);
  expect(rows(noUuid(5, 0)).map(({ row }) => row)).toEqual([1, 2]);
});

describe('after a restart of the agent', () => {
  /** What an earlier life has seen: GPU 0 and GPU 1. */
  function restarted(gpus: readonly GpuState[], driver: DriverState = driverOk) {
    const history = new History({ intervalMs: 10_000, now: () => moment });
    new Recorder(history).round(snapshot([gpu(0), gpu(1)]), nowMs, moment);
    history.continue(history.numbering, 1);
    const later = { ...moment, atMs: moment.atMs + 60_000, monotonicMs: moment.monotonicMs + 60_000 };
    new Recorder(history).round(snapshot(gpus, driver), nowMs + 60_000, later);
    return [0, 1].map((index) => history.lastAbsence(historyKey(gpu(index)) ?? ''));
  }

  const nameless = (missing: 'gpuLost' | 'resetRequired', given = {}) => unreadableGpu(1, missing, {}, given);

  test('GPUs that an earlier life knew have rows while there is no driver', () => {
    expect(restarted([], { state: 'notResponding', info: null, sinceMs: 0 })).toEqual([
      'driverNotResponding',
      'driverNotResponding',
    ]);
  });

  test('the one that cannot say who it is is the one that nobody else is', () => {
    const read = { readAtMs: nowMs + 60_000 };
    const here = gpu(0, {}, read);

    expect(restarted([here, nameless('gpuLost', { trouble: 'lost', ...read })])).toEqual([null, 'lost']);
    expect(restarted([here, nameless('resetRequired', read)])).toEqual([null, 'resetRequired']);
    expect(restarted([here, nameless('gpuLost', { trouble: 'hung', readAtMs: null })])).toEqual([
      null,
      'hung',
    ]);
  });

  test('one that is not among those that all say who they are has vanished, which is said once', () => {
    expect(restarted([gpu(0)])).toEqual([null, 'vanished']);
  });

  test('of GPUs that are still to be read, or of fewer that say nothing, nothing is said', () => {
    const toBeRead = unreadableGpu(1, 'notReady', {}, { readAtMs: null });

    expect(restarted([gpu(0), toBeRead])).toEqual([null, null]);
    expect(restarted([nameless('gpuLost', { trouble: 'lost' })])).toEqual([null, null]);
  });
});

test('a GPU that has never said who it is has no history, and troubles no other', () => {
  const rows = recorded([[unreadableGpu(0, 'notReady', {}, { trouble: 'hung', readAtMs: null }), gpu(1)]]);

  expect(rows(gpu(1))).toHaveLength(1);
});

test('values that were begun to be read before a stall was told of are not lost', () => {
  const history = new History({ intervalMs: 10_000, now: () => moment });
  const recorder = new Recorder(history);
  const at = (ms: number) => ({ ...moment, atMs: moment.atMs + ms, monotonicMs: moment.monotonicMs + ms });
  recorder.round(snapshot([gpu(0)]), nowMs, moment);
  recorder.round(
    snapshot([gpu(0)], { state: 'notResponding', info: null, sinceMs: 0 }),
    nowMs + 15_000,
    at(15_000),
  );
  recorder.round(snapshot([gpu(0, {}, { readAtMs: readAtMs + 11_000 })]), nowMs + 16_000, at(16_000));

  expect(history.rows({ gpuKey: historyKey(gpu(0)) ?? '' }).rows.map(({ absence }) => absence)).toEqual([
    null,
    'driverNotResponding',
    null,
  ]);
});
