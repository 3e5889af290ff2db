import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { createFleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import type { Member } from '../../src/bridge/fleet/member.ts';
import { Fault } from '../../src/core/fault.ts';
import { createLog } from '../../src/core/log.ts';
import { everyone, until } from '../support/bridge.ts';
import { question } from '../support/question.ts';

type Program = NonNullable<Member['exec']>;

const old = new Fault('old', { code: 'AGENT_LACKS_TOOL' });

/** A fleet of so many nodes, each asked by a program of the test's. */
function programs(nodes: number, exec: Program, limits = defaultLimits) {
  const members = Array.from({ length: nodes }, (_, at) => ({
    name: `n-${at}`,
    key: `${at}`,
    origin: new URL('http://localhost'),
    dial: undefined,
    exec,
  }));
  const log = createLog('error', () => undefined);
  const fleet = createFleet({ roster: async () => everyone(members), token: undefined, limits, log });
  return { ask: (own: Partial<typeof question> = {}) => fleet.ask({ ...question, ...own }) };
}

const hanging: Program = (_line, signal, opened) => {
  opened();
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
};
const withFanOut = (fanOutMs: number) => ({ ...defaultLimits, exec: { ...defaultLimits.exec, fanOutMs } });

test('of 300 nodes at most 64 are being reached by exec at once, and 256 programs run, in two calls together too', async () => {
  const opening = { now: 0, most: 0 };
  const running = { now: 0, most: 0, made: 0 };
  const { ask } = programs(300, async (_line, _signal, opened) => {
    running.made++;
    running.most = Math.max(running.most, ++running.now);
    opening.most = Math.max(opening.most, ++opening.now);
    await sleep(10);
    opening.now--;
    opened();
    await sleep(300);
    running.now--;
    throw old;
  });

  const [first, second] = await Promise.all([ask(), ask()]);

  expect([first.failed.length, second.failed.length]).toEqual([300, 300]);
  expect(new Set([...first.failed, ...second.failed].map(({ code }) => code))).toEqual(
    new Set(['AGENT_LACKS_TOOL']),
  );
  expect(running.made).toBe(600);
  expect(running.most).toBeLessThanOrEqual(256);
  expect(running.most).toBeGreaterThan(64);
  expect(opening.most).toBeLessThanOrEqual(64);
});

// They waited for a place to dial in their own time: where connections open slowly, half of 224 healthy nodes were noted as
// failed, and passed over in the next call.
test('nodes whose connection opens too slowly cost those behind them none of their own time', async () => {
  let slow = 56;
  const exec = { ...defaultLimits.exec, attemptMs: 1000, firstAttemptMs: 1000, nodeMs: 1100 };
  const slowAtFirst: Program = async (_line, _signal, opened) => {
    if (slow-- > 0) await sleep(1600);
    opened();
    throw old;
  };
  const { ask } = programs(224, slowAtFirst, { ...defaultLimits, exec });

  const { failed } = await ask();

  const withCode = (wanted: string) => failed.filter(({ code }) => code === wanted);
  expect(withCode('NODE_TIMEOUT')).toHaveLength(56);
  expect(withCode('AGENT_LACKS_TOOL')).toHaveLength(224 - 56);
});

test('a second attempt needs a place to dial like the first', async () => {
  const opening = { now: 0, most: 0, made: 0 };
  const breaking = new Fault('broke', { code: 'NODE_UNREACHABLE' });
  const { ask } = programs(200, async (_line, _signal, opened) => {
    opening.made++;
    opening.most = Math.max(opening.most, ++opening.now);
    await sleep(60);
    opening.now--;
    opened();
    throw breaking;
  });

  const { failed } = await ask();

  expect(new Set(failed.map(({ message }) => message))).toEqual(new Set(['broke']));
  expect(opening.made).toBe(600);
  expect(opening.most).toBeLessThanOrEqual(64);
});

// Each call began at the head of the same list, so that those at its end were never asked.
test('who was not reached in a call is asked first in the next', async () => {
  let answers = 0;
  const program: Program = (...asking) => (answers-- > 0 ? Promise.reject(old) : hanging(...asking));
  const { ask } = programs(500, program, withFanOut(2000));
  const call = async () => {
    answers = 250;
    return (await ask()).failed;
  };

  const [first, second] = [await call(), await call()];

  const reached = [...first, ...second].filter(({ code }) => code === 'AGENT_LACKS_TOOL');
  expect(new Set(reached.map(({ node }) => node)).size).toBe(500);
  expect(new Set(first.map(({ message }) => message))).toEqual(
    new Set([
      'old',
      'no answer within the 2000 ms of the whole call',
      'not asked, as its turn did not come within the 2000 ms of the whole call; the next call begins with such nodes',
    ]),
  );
});

test('a short time for exec also ends the wait for a turn, whatever others may take', async () => {
  const { ask } = programs(300, hanging, { ...withFanOut(500), fanOutMs: 600_000 });

  const { failed } = await ask();

  expect(new Set(failed.map(({ message }) => message))).toEqual(
    new Set([
      'no answer within the 500 ms of the whole call',
      'not asked, as its turn did not come within the 500 ms of the whole call; the next call begins with such nodes',
    ]),
  );
});

/** Runs as long as the test holds it, and counts what runs at once. */
function held() {
  const running = { now: 0, most: 0, made: 0 };
  const ends: (() => void)[] = [];
  const program: Program = async (_line, _signal, opened) => {
    running.made++;
    running.most = Math.max(running.most, ++running.now);
    opened();
    await new Promise<void>((end) => ends.push(end));
    running.now--;
    throw old;
  };
  return { running, program, endOne: () => ends.shift()?.() };
}

// Four `/agent --oneshot` at once thrash a pod at its limit of memory, and six never answer.
test('on one node one program runs at a time, however many calls want it; a call that leaves takes no turn', async () => {
  const { running, program, endOne } = held();
  const { ask } = programs(1, program);
  const leaving = new AbortController();
  const first = ask();
  const left = ask({ signal: leaving.signal });
  const others = [ask(), ask()];
  await until('the first runs', () => running.now === 1);

  leaving.abort(new Error('no longer wanted'));
  await expect(left).rejects.toThrow('no longer wanted');
  for (const made of [1, 2, 3]) {
    await until('the next runs', () => running.made === made);
    endOne();
  }

  const answers = await Promise.all([first, ...others]);
  expect(answers.map(({ failed }) => failed.map(({ message }) => message))).toEqual([
    ['old'],
    ['old'],
    ['old'],
  ]);
  expect(running).toEqual({ now: 0, most: 1, made: 3 });
});

test('nor beside one that looks in the background whether the node is back', async () => {
  const { running, program, endOne } = held();
  let isAway = true;
  const exec = { ...defaultLimits.exec, firstProbeMs: 20 };
  const away = new Fault('away', { code: 'NODE_TIMEOUT' });
  const { ask } = programs(1, (...asking) => (isAway ? Promise.reject(away) : program(...asking)), {
    ...defaultLimits,
    exec,
  });
  await ask();
  isAway = false;
  await until('it is probed', () => running.now === 1);

  const asked = ask();
  await sleep(50); // in which it would begin, if it could
  endOne();
  await until('it is asked', () => running.made === 2);
  endOne();

  expect((await asked).failed).toMatchObject([{ code: 'AGENT_LACKS_TOOL' }]);
  expect(running.most).toBe(1);
});
