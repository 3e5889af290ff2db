import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';

import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import type { Member } from '../../src/bridge/fleet/member.ts';
import { Fault } from '../../src/core/fault.ts';
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
