import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { createFleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import type { Member } from '../../src/bridge/fleet/member.ts';
import { Fault } from '../../src/core/fault.ts';
import { createLog } from '../../src/core/log.ts';
import { headersOf } from '../../src/mcp/request.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { everyone, productLimits, startTestFleet, type TestFleet, until } from '../support/bridge.ts';
import { faults, passOn } from '../support/fault-proxy.ts';

const all = { a: 1, b: 2, c: 3, d: 4 };

/** A program in the pod that asks the agent, as `/agent --oneshot` does beside one that listens. */
function byExec(member: Member): Member {
  const exec = async (line: string, signal: AbortSignal) => {
    const url = new URL('/mcp', member.origin);
    const headers = headersOf(JSON.parse(line));
    const answer = await fetch(url, { method: 'POST', headers, body: line, signal });
    if (!answer.ok) throw new Fault(`exit code ${answer.status}`, { code: 'NODE_BAD_ANSWER' });
    return answer.text();
  };
  return { ...member, exec };
}

const only = (...names: string[]) => ({
  member: (member: Member) => (names.includes(member.name) ? byExec(member) : member),
});

describe.concurrent('nodes that are asked by exec', () => {
  test('answer beside others, each for itself', async ({ expect, onTestFinished }) => {
    const { call, nodes } = await startTestFleet(onTestFinished, only('a', 'b'));

    expect([await call(), await call(inventory)].map(({ gpus }) => gpus)).toEqual([all, all]);
    expect(nodes.a.received).toHaveLength(2);
  });

  test('are left alone between two calls', async ({ expect, onTestFinished }) => {
    const { call, nodes } = await startTestFleet(onTestFinished, {
      ...only('a', 'b', 'c', 'd'),
      limits: { keepWarmMs: 20 },
    });
    await call();

    await sleep(400);

    expect(Object.values(nodes).map(({ received }) => received.length)).toEqual([1, 1, 1, 1]);
  });

  test('are asked three times at most, and then looked after in the background, by and by', async ({
    expect,
    onTestFinished,
  }) => {
    const exec = { ...defaultLimits.exec, firstProbeMs: 300, lastProbeMs: 300 };
    const fleet = await startTestFleet(onTestFinished, { ...only('b'), limits: { exec } });
    const { call, nodes, bridgeLog } = fleet;
    nodes.b.behave(faults.error500);

    const failed = await call();
    const tried = nodes.b.received.length;
    nodes.b.behave(passOn);
    await until('b is back', () => bridgeLog.some(({ msg }) => msg === 'node answers again'));

    expect(failed.envelope.failed).toMatchObject([{ node: 'b', code: 'NODE_BAD_ANSWER' }]);
    expect(tried).toBe(3);
    expect(await call()).toMatchObject({ status: 'success', gpus: all });
  });

  test.for([
    ['have a time of their own', 'success', ['b']],
    ['control: the same wait is too long for one that listens', 'partial', []],
  ] as const)('%s', async ([, status, names], { expect, onTestFinished }) => {
    const limits = { attemptMs: 300, firstAttemptMs: 600, nodeMs: 700, fanOutMs: 800 };
    const { call, enlist } = await startTestFleet(onTestFinished, { limits });
    enlist((members) =>
      everyone(members.map((member) => (member.name === 'b' ? slow(member, names.length > 0) : member))),
    );

    expect(await call()).toMatchObject({ status, envelope: { nodesTotal: 4 } });
  });
});

function slow(member: Member, isByExec: boolean, ms = 1200): Member {
  if (!isByExec) return { ...member, dial: () => sleep(ms, undefined, { ref: false }) as Promise<never> };
  const exec: Member['exec'] = async (...asking) => {
    await sleep(ms);
    return byExec(member).exec?.(...asking) ?? '';
  };
  return { ...member, key: `${member.key} exec`, exec };
}

/** Node b is another member from the second look on. */
function turns({ enlist }: TestFleet, before: (b: Member) => Member, after: (b: Member) => Member): void {
  let looks = 0;
  enlist((members) => {
    const turned = looks++ === 0 ? before : after;
    return everyone(members.map((member) => (member.name === 'b' ? turned(member) : member)));
  });
}

describe.concurrent('a node whose road changes within a call', () => {
  const longerThanUsualMs = defaultLimits.fanOutMs + 300;
  const gone: Member['dial'] = () => Promise.reject(new Fault('pod is gone', { code: 'NODE_UNREACHABLE' }));
  const refusing = (member: Member): Member => ({ ...member, key: 'refusing', dial: gone });

  test('from http to stdio: it has the time of exec', async ({ expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished, { limits: productLimits });
    turns(fleet, refusing, (member) => slow(member, true, longerThanUsualMs));

    expect(await fleet.call()).toMatchObject({ status: 'success', gpus: all });
  });

  test('control: no more than that', async ({ expect, onTestFinished }) => {
    const exec = { ...defaultLimits.exec, attemptMs: 500, firstAttemptMs: 500, nodeMs: 600, fanOutMs: 700 };
    const fleet = await startTestFleet(onTestFinished, { limits: { ...productLimits, exec } });
    turns(fleet, refusing, (member) => slow(member, true));

    expect((await fleet.call()).envelope.failed).toMatchObject([{ node: 'b', code: 'NODE_TIMEOUT' }]);
  });

  test('from stdio to http: the time of exec is not taken from it', async ({ expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished, { limits: productLimits });
    const ending: Member['exec'] = async () => {
      await sleep(longerThanUsualMs);
      throw new Fault('no answer', { code: 'NODE_TIMEOUT' });
    };
    turns(
      fleet,
      (member) => ({ ...member, key: 'ending', exec: ending }),
      (member) => member,
    );

    expect(await fleet.call()).toMatchObject({ status: 'success', gpus: all });
  });
});

const old = new Fault('old', { code: 'AGENT_LACKS_TOOL' });

/** A fleet of so many nodes, each asked by a program of the test's. */
function programs(nodes: number, exec: NonNullable<Member['exec']>, limits = defaultLimits) {
  const members = Array.from({ length: nodes }, (_, at) => ({
    name: `n-${at}`,
    key: `${at}`,
    origin: new URL('http://localhost'),
    dial: undefined,
    exec,
  }));
  const log = createLog('error', () => undefined);
  const fleet = createFleet({ roster: async () => everyone(members), token: undefined, limits, log });
  const { signal } = new AbortController();
  const question = {
    tool: inventory,
    args: {},
    nodes: undefined,
    requestId: '1',
    signal,
    onProgress: () => {},
  };
  return { ask: () => fleet.ask(question) };
}

const hanging: NonNullable<Member['exec']> = (_line, signal, opened) => {
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

// Each call began at the head of the same list, so that those at its end were never asked.
test('who was not reached in a call is asked first in the next', async () => {
  let answers = 0;
  const program: typeof hanging = (...asking) => (answers-- > 0 ? Promise.reject(old) : hanging(...asking));
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
      'not asked, as its turn did not come within the 2000 ms of the whole call; the next call begins with it',
    ]),
  );
});

test('a short time for exec also ends the wait for a turn: the call does not last as long as others may', async () => {
  const { ask } = programs(300, hanging, withFanOut(500));
  const startedMs = performance.now();

  const { failed } = await ask();

  expect(performance.now() - startedMs).toBeLessThan(defaultLimits.fanOutMs / 2);
  expect(failed.map(({ message }) => message)).toContain('no answer within the 500 ms of the whole call');
});
