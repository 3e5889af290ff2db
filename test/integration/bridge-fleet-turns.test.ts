import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';

import { productLimits, startTestFleet, until } from '../support/bridge.ts';
import { type Exchange, faults, passOn } from '../support/fault-proxy.ts';

const all = { a: 1, b: 2, c: 3, d: 4 };
/** Calls in progress at once. */
const places = 4;

/** An agent that is well and slow: all that wait for it wait in turn, as it has one stream. */
async function slowly(exchange: Exchange): Promise<void> {
  await sleep(60);
  await passOn(exchange);
}

/** Takes all places. */
function fill<T>(call: () => Promise<T>): Promise<PromiseSettledResult<T>[]> {
  return Promise.allSettled(Array.from({ length: places }, call));
}

describe.concurrent('many calls at once', () => {
  // The time of each began while it waited behind the others: with enough of them at once every node was told to be
  // silent, and passed over from then on, though all were well and it was the bridge that was busy.
  test('make no node late: they wait for their turn before their time begins', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { limits: productLimits });
    await call();
    nodes.b.behave(slowly);

    const answers = await Promise.all(Array.from({ length: 40 }, () => call()));

    expect(answers.map(({ gpus }) => gpus)).toEqual(Array(40).fill(all));
    expect(nodes.b.accepted()).toBe(1);
  });

  test('one of them that is given up while it waits ends at once, and asks nobody', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.blackHole);
    const leaving = new AbortController();
    const before = fill(() => call(undefined, {}, { signal: leaving.signal }));
    await until('those before it are asked', () => nodes.a.received.length === places);
    const waiting = new AbortController();
    const last = call(undefined, {}, { signal: waiting.signal });

    waiting.abort(new Error('no longer wanted'));

    await expect(last).rejects.toThrow('no longer wanted');
    expect(nodes.a.received).toHaveLength(places);
    leaving.abort(new Error('the test is over'));
    await before;
  });

  test('those that are given up leave their places to others', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.blackHole);
    const leaving = new AbortController();
    const before = fill(() => call(undefined, {}, { signal: leaving.signal }));
    await until('they are asked', () => nodes.a.received.length === places);
    const next = call(undefined, { nodes: ['a'] });

    leaving.abort(new Error('no longer wanted'));

    expect((await next).gpus).toEqual({ a: 1 });
    expect((await before).map(({ status }) => status)).toEqual(Array(places).fill('rejected'));
  });
});
