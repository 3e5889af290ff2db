import { describe, expect, test } from 'vitest';

import { seriesNames } from '../../src/core/history.ts';
import { History } from '../../src/server/history/history.ts';
import type { GpuTimeline } from '../../src/tools/timeline-shape.ts';
import { gpu, snapshot, unreadableGpu } from '../support/gpus.ts';
import { historyOf, keyOf, now, type Shows } from '../support/history.ts';
import { askTimeline, calm, gpusOf, nodeOf, seriesOf } from '../support/timelines.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('gaps', () => {
  test('that nobody sampled are gaps in the line and in a list, and not low values', () => {
    const away: Shows = (ageMs) =>
      ageMs > 10 * minute && ageMs <= 15 * minute
        ? undefined
        : { ...calm, powerWatts: ageMs > 15 * minute ? 300 : 200 };
    const [one] = gpusOf(nodeOf([away]));

    expect(one?.gaps).toEqual([
      {
        fromMs: now.atMs - 15 * minute - 10_000,
        toMs: now.atMs - 10 * minute - 10_000,
        lostMs: 5 * minute,
        why: 'notSampled',
      },
    ]);
    const points = seriesOf(one, 'powerWatts')?.points ?? [];
    expect(points.filter((point) => point === null).length).toBeGreaterThanOrEqual(9);
    expect(points.slice(0, 25)).not.toContain(null);
    expect(seriesOf(one, 'powerWatts')?.min).toBe(200);
  });

  test.for([
    'hung',
    'lost',
    'vanished',
    'driverUnavailable',
    'driverNotResponding',
    'resetRequired',
  ] as const)('of a GPU that was %s say so', (absence) => {
    const shows: Shows = (ageMs) => (ageMs > 5 * minute && ageMs <= 8 * minute ? { absence } : calm);

    expect(gpusOf(nodeOf([shows]))[0]?.gaps).toMatchObject([{ why: absence, lostMs: 3 * minute }]);
  });

  test('of a GPU that was lost before its driver went away are two, each with its own reason', () => {
    const absence = (ageMs: number) => (ageMs > 6 * minute ? 'lost' : 'driverUnavailable');
    const shows: Shows = (ageMs) =>
      ageMs > 5 * minute && ageMs <= 8 * minute ? { absence: absence(ageMs) } : calm;

    expect(gpusOf(nodeOf([shows]))[0]?.gaps).toMatchObject([
      { why: 'lost', lostMs: 2 * minute },
      { why: 'driverUnavailable', lostMs: minute },
    ]);
  });

  test('of a GPU that took long to be read have that reason from one reading to the next', () => {
    const shows: Shows = (ageMs) => {
      if (ageMs === 5 * minute) return { absence: 'slow' };
      return ageMs > 5 * minute && ageMs < 15 * minute ? undefined : calm;
    };

    expect(gpusOf(nodeOf([shows]))[0]?.gaps).toMatchObject([{ why: 'slow', lostMs: 10 * minute }]);
  });

  test('of a GPU that is being read for long have that reason until now', () => {
    const { history } = nodeOf([(ageMs) => (ageMs < 4 * minute ? undefined : calm)]);
    const underWay = { history, snapshot: snapshot([{ ...gpu(0), tookMs: 4 * minute }]) };

    expect(gpusOf(underWay)[0]?.gaps).toMatchObject([{ why: 'slow', toMs: now.atMs }]);
  });

  test('that last until now have the reason of now', () => {
    const { history } = nodeOf([(ageMs) => (ageMs < 4 * minute ? undefined : calm)]);
    const hanging = { history, snapshot: snapshot([gpu(0, {}, { trouble: 'hung' })]) };

    expect(gpusOf(hanging)[0]?.gaps).toMatchObject([{ why: 'hung', toMs: now.atMs, lostMs: 4 * minute }]);
  });

  test('of less than two and a half intervals are none: a timer may be late', () => {
    const shows: Shows = (ageMs) => ((ageMs / 10_000) % 2 === 0 ? undefined : calm);

    expect(gpusOf(nodeOf([shows]))[0]?.gaps).toEqual([]);
  });

  test('what was before the first sample is no gap: it is not known', () => {
    const [one] = gpusOf(nodeOf([() => calm], [], 5 * minute));

    expect(one?.gaps).toEqual([]);
    expect(one?.covered?.fromMs).toBe(now.atMs - 5 * minute - 10_000);
  });

  test('a GPU of which there are no samples at all is in the answer, and has no values', () => {
    const node = { history: historyOf({}), snapshot: snapshot([gpu(0)]) };

    const { text } = askTimeline({ a: node });

    expect(text).toContain(
      'a GPU 0 (NVIDIA H100 80GB HBM3, PCI 0000:0a:00.0): nothing happened. No samples in this time',
    );
    expect(gpusOf(node)[0]).toMatchObject({ covered: null, series: [] });
  });
});

test('an agent that was restarted shows as a gap with that reason, and a reboot with its own', () => {
  const history = historyOf({ [keyOf(0)]: (ageMs) => (ageMs < 20 * minute ? undefined : calm) });
  history.continue(history.numbering, 1);
  const restarted = { history, snapshot: snapshot([gpu(0)]) };
  history.restoreSample(keyOf(0), 'b', {
    row: history.rows({ gpuKey: keyOf(0) }).newestRow + 1,
    life: 2,
    atMs: now.atMs - 5000,
    monotonicMs: now.monotonicMs - 5000,
    values: seriesNames.map(() => 1),
    reasons: 0,
    absence: null,
  });

  expect(gpusOf(restarted)[0]?.gaps).toMatchObject([{ why: 'agentNotRunning' }]);
});

test('a GPU that was lost before the agent went away, or its node was rebooted, was lost until then', () => {
  const whysAfter = (bootId: string) => {
    const history = historyOf({ [keyOf(0)]: (ageMs) => (ageMs > 21 * minute ? calm : { absence: 'lost' }) });
    const newest = history
      .rows({ gpuKey: keyOf(0) })
      .rows.filter(({ atMs }) => atMs <= now.atMs - 20 * minute);
    const kept = new History({ intervalMs: 10_000, now: () => now });
    for (const row of newest)
      kept.restoreSample(keyOf(0), 'a', { ...row, values: row.values.map(Number), reasons: 0 });
    kept.continue(kept.numbering, 1);
    kept.restoreSample(keyOf(0), bootId, {
      ...{ row: 1000, life: 2, atMs: now.atMs - 5000, monotonicMs: now.monotonicMs - 5000 },
      ...{ values: seriesNames.map(() => 1), reasons: 0, absence: null },
    });
    return gpusOf({ history: kept, snapshot: snapshot([gpu(0)]) })[0]?.gaps.map(({ why, lostMs }) => [
      why,
      Math.round(lostMs / minute),
    ]);
  };

  expect(whysAfter('a')).toEqual([
    ['lost', 1],
    ['agentNotRunning', 20],
  ]);
  expect(whysAfter('b')).toEqual([
    ['lost', 1],
    ['nodeRebooted', 20],
  ]);
});

test('samples that an earlier life took more rarely than this one does are no gaps', () => {
  const history = new History({ intervalMs: 10_000, now: () => now });
  const row = (number: number, life: number, ageMs: number) => {
    const at = { atMs: now.atMs - ageMs, monotonicMs: now.monotonicMs - ageMs };
    const values = seriesNames.map(() => 1);
    history.restoreSample(keyOf(0), 'b', { ...at, row: number, life, values, reasons: 0, absence: null });
  };
  history.continue(history.numbering, 1);
  for (let at = 0; at < 20; at++) row(at + 1, 1, 15 * minute - at * 30_000);
  for (let at = 0; at < 20; at++) row(at + 21, 2, 5 * minute - at * 10_000);

  const [one] = gpusOf({ history, snapshot: snapshot([gpu(0)]) });

  expect(one?.gaps.map(({ why }) => why)).toEqual(['agentNotRunning', 'notSampled']);
});

describe('a clock that was set', () => {
  const { history } = nodeOf([() => undefined]);
  for (let ageMs = 20 * minute; ageMs > 0; ageMs -= 10_000) {
    const setByMs = ageMs > 10 * minute ? -3 * hour : 0;
    history?.rows({ gpuKey: keyOf(0) });
    addAt(ageMs, setByMs);
  }

  function addAt(ageMs: number, setByMs: number): void {
    const values = seriesNames.map(() => 50);
    const at = { atMs: now.atMs - ageMs + setByMs, monotonicMs: now.monotonicMs - ageMs };
    (history as ReturnType<typeof historyOf>).add(keyOf(0), { ...at, values, reasons: 0, absence: null });
  }

  test('moves nothing on the axis, and is told', () => {
    const [one] = gpusOf({ history, snapshot: snapshot([gpu(0)]) });

    expect(one?.covered).toMatchObject({ samples: 120, fromMs: now.atMs - 20 * minute - 10_000 });
    expect(one?.gaps).toEqual([]);
    expect(one?.clockJumps).toEqual([{ atMs: now.atMs - 10 * minute, byMs: 3 * hour }]);
  });
});

describe('a GPU that was gone before the agent was started', () => {
  const fell: Shows = (ageMs) => (ageMs > 10 * minute ? calm : undefined);
  const whole = nodeOf([() => calm, fell]);
  const node = { ...whole, snapshot: snapshot([gpu(0)]) };

  test('has a timeline nevertheless, and is said not to be there now', () => {
    const text = askTimeline({ a: node }).text.split('\n');

    expect(text[0]).toBe('1 GPU on 1 node, last 30 min: 1 more not there now.');
    expect(text[1]).toBe(`a ${keyOf(1)}: not there now; no samples for 10 min (vanished)`);
    expect(text).toContainEqual(expect.stringMatching(/^ {2}temperatureC .*55 °C/));
  });

  test('is not said to be gone while a GPU cannot say who it is: it may be that one', () => {
    const lost = unreadableGpu(1, 'gpuLost', {}, { trouble: 'lost' });
    const { text } = askTimeline({ a: { ...whole, snapshot: snapshot([gpu(0), lost]) } });

    expect(text).toContain(`a ${keyOf(1)}: a GPU that cannot say who it is may be this one; no samples for`);
    expect(text).not.toContain('vanished');
    expect(text).not.toContain('not there now');
    expect(text.split('\n')[0]).toBe('2 GPUs on 1 node, last 30 min: 2 in trouble now.');
  });

  test('is found by its name, and by no other', () => {
    const rows = (given: object) =>
      (askTimeline({ a: node }, given).structured['rows'] as { gpu?: GpuTimeline }[]).map(
        (row) => row.gpu?.uuid,
      );

    expect(rows({ gpu: keyOf(1) })).toEqual([keyOf(1)]);
    expect(rows({ gpu: 0 })).toEqual([keyOf(0)]);
    expect(() => rows({ gpu: 1 })).toThrow(expect.objectContaining({ code: 'GPU_NOT_FOUND' }));
  });

  test('is not told of where it was gone all the time, unless it is asked for', () => {
    expect(askTimeline({ a: node }, { minutes: 5 }).text).not.toContain('not there now');
    expect(askTimeline({ a: node }, { minutes: 5, gpu: keyOf(1) }).text).toContain('not there now');
  });
});
