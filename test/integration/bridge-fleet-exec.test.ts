import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { createFleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import type { Member } from '../../src/bridge/fleet/node.ts';
import { Fault } from '../../src/core/fault.ts';
import { createLog } from '../../src/core/log.ts';
import { headersOf } from '../../src/mcp/request.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { startTestFleet, until } from '../support/bridge.ts';
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
    enlist((members) => ({
      members: members.map((member) => (member.name === 'b' ? slow(member, names.length > 0) : member)),
      withoutAgent: [],
      complete: true,
      notes: [],
    }));

    expect(await call()).toMatchObject({ status, envelope: { nodesTotal: 4 } });
  });
});

function slow(member: Member, isByExec: boolean): Member {
  if (!isByExec) return { ...member, dial: () => sleep(1200, undefined, { ref: false }) as Promise<never> };
  const exec = async (line: string, signal: AbortSignal) => {
    await sleep(1200);
    return byExec(member).exec?.(line, signal) ?? '';
  };
  return { ...member, exec };
}

/** So many nodes, on each of which a program takes so long, and then says that it lacks the tool. */
function programs(nodes: number, ms: number, limits = defaultLimits) {
  const running = { now: 0, most: 0, made: 0 };
  const exec = async (): Promise<string> => {
    running.made++;
    running.most = Math.max(running.most, ++running.now);
    await sleep(ms);
    running.now--;
    throw new Fault('old', { code: 'AGENT_LACKS_TOOL' });
  };
  const members = Array.from({ length: nodes }, (_, at) => ({
    name: `n-${at}`,
    key: `${at}`,
    origin: new URL('http://localhost'),
    dial: undefined,
    exec,
  }));
  const roster = async () => ({ members, withoutAgent: [], complete: true, notes: [] });
  const log = createLog('error', () => undefined);
  const fleet = createFleet({ roster, token: undefined, limits, log });
  const { signal } = new AbortController();
  const question = {
    tool: inventory,
    args: {},
    nodes: undefined,
    requestId: '1',
    signal,
    onProgress: () => {},
  };
  return { running, ask: () => fleet.ask(question) };
}

test('of a hundred nodes at most 64 are asked by exec at once, in two calls together too; the others wait', async () => {
  const { running, ask } = programs(100, 100);

  const [first, second] = await Promise.all([ask(), ask()]);

  expect([first.failed.length, second.failed.length]).toEqual([100, 100]);
  expect(new Set([...first.failed, ...second.failed].map(({ code }) => code))).toEqual(
    new Set(['AGENT_LACKS_TOOL']),
  );
  expect(running.made).toBe(200);
  expect(running.most).toBeLessThanOrEqual(64);
  expect(running.most).toBeGreaterThan(32);
});

test('a short time for exec also ends the wait for a turn: the call does not last as long as others may', async () => {
  const limits = { ...defaultLimits, exec: { ...defaultLimits.exec, fanOutMs: 500 } };
  const { ask } = programs(100, 1500, limits);
  const startedMs = performance.now();

  const { failed } = await ask();

  expect(performance.now() - startedMs).toBeLessThan(defaultLimits.fanOutMs / 2);
  expect(failed.map(({ message }) => message)).toContain('not reached within the 500 ms of the whole call');
});
