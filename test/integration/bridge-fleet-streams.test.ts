import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, test } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { productLimits, startTestFleet, until } from '../support/bridge.ts';
import { faults, passOn } from '../support/fault-proxy.ts';

const all = { a: 1, b: 2, c: 3, d: 4 };

describe.concurrent('one stream for each node', () => {
  test('two first calls at once open one, and later calls no other', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);

    const answers = await Promise.all([call(), call(inventory)]);
    for (let calls = 0; calls < 5; calls += 1) answers.push(await call());

    expect(answers.map(({ gpus }) => gpus)).toEqual(Array(7).fill(all));
    expect(Object.values(nodes).map((node) => node.accepted())).toEqual([1, 1, 1, 1]);
    expect(nodes.b.received).toHaveLength(7);
  });

  test('a reset on a reused stream is not seen: it is asked again on a new one', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    await call();
    nodes.b.next(faults.reset);

    const answer = await call();

    expect(answer).toMatchObject({ status: 'success', gpus: all });
    expect([nodes.b.accepted(), nodes.b.received.length]).toEqual([2, 3]);
  });

  test('no answer on a reused stream is not the end: it is asked again on a new one', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { limits: { attemptMs: 1200 } });
    await call();
    nodes.b.next(faults.blackHole);

    const answer = await call();

    expect(answer).toMatchObject({ status: 'success', gpus: all });
    expect([nodes.b.accepted(), nodes.b.received.length]).toEqual([2, 3]);
  });

  test('a stream that the node closed while it was idle is opened anew', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.next(faults.idleClose);
    await call();

    const answers = [await call(), await call()];

    for (const answer of answers) expect(answer).toMatchObject({ status: 'success', gpus: all });
    expect(nodes.b.accepted()).toBe(2);
  });

  test('an agent that restarts between two calls is not noticed', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    await call();
    await nodes.b.down();
    await nodes.b.up();

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
  });

  // The client under a road was destroyed with its stream, and every later call to the node failed.
  test('streams that nobody uses are closed, and the next call opens new ones', async ({
    expect,
    onTestFinished,
  }) => {
    const limits = { warmMs: 100, keepWarmMs: 200 };
    const { nodes, call } = await startTestFleet(onTestFinished, { limits });
    await call();
    await until('all are closed', () => Object.values(nodes).every((node) => node.open() === 0));

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
    expect(nodes.b.accepted()).toBe(2);
  });

  test('while in use they are kept from idling out', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { limits: { keepWarmMs: 50 } });
    await call();

    await until('a few probes', () => nodes.b.received.length > 4);

    expect(nodes.b.accepted()).toBe(1);
  });

  test('closing the fleet closes them all', async ({ onTestFinished }) => {
    const { nodes, call, fleet } = await startTestFleet(onTestFinished);
    await call();

    fleet.close();

    await until('all are closed', () => Object.values(nodes).every((node) => node.open() === 0));
  });
});

describe.concurrent('a caller who leaves', () => {
  test('gets the reason, at once; the node sees it, and the stream is closed', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    await call();
    nodes.b.behave(faults.blackHole);
    const caller = new AbortController();
    const answer = call(undefined, {}, { signal: caller.signal }).catch((thrown) => thrown);
    await until('b is asked', () => nodes.b.received.length === 2);
    const reason = new Error('the user pressed escape');

    caller.abort(reason);

    expect(await answer).toBe(reason);
    await until('b sees it', () => nodes.b.received[1]?.abandoned() === true && nodes.b.open() === 0);
    expect(nodes.b.accepted()).toBe(1);
  });

  test('is not held against the node: the next call asks it', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.next(faults.blackHole);
    const caller = new AbortController();
    const answer = call(undefined, {}, { signal: caller.signal }).catch((thrown) => thrown);
    await until('b is asked', () => nodes.b.received.length === 1);
    caller.abort();
    await answer;

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
  });

  test('takes nobody with him who waits on the same stream', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    await call();
    nodes.b.next(faults.blackHole);
    const caller = new AbortController();
    const left = call(undefined, {}, { signal: caller.signal }).catch((thrown) => thrown);
    await until('b is asked', () => nodes.b.received.length === 2);
    const waiting = Promise.all([call(), call(inventory)]);

    caller.abort();

    await left;
    expect((await waiting).map(({ gpus }) => gpus)).toEqual([all, all]);
  });

  test('before he has asked reaches nobody', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    const reason = new Error('gone');

    await expect(call(undefined, {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(nodes.a.received).toHaveLength(0);
  });
});

describe.concurrent('a stream that is dialled for us, as a port-forward is', () => {
  test('carries the calls, and is dialled once', async ({ expect, onTestFinished }) => {
    let dials = 0;
    const { call, nodes, bridgeLog } = await startTestFleet(onTestFinished, {
      member: (member) => ({
        ...member,
        dial: async () => {
          if (member.name === 'b') dials += 1;
          return connect(Number(member.origin.port), member.origin.hostname);
        },
      }),
    });

    expect([(await call()).gpus, (await call()).gpus]).toEqual([all, all]);
    expect([dials, nodes.b.accepted()]).toEqual([1, 1]);
    expect(bridgeLog.filter(({ msg }) => msg === 'answer')[0]).toMatchObject({
      node: expect.any(String),
      requestId: expect.any(String),
      queueMs: expect.any(Number),
      dialMs: expect.any(Number),
      requestMs: expect.any(Number),
      toolMs: expect.any(Number),
    });
  });

  test('its failure to open is the failure of that node alone, in its own words', async ({
    expect,
    onTestFinished,
  }) => {
    const fault = new Fault('pod agent-b has no container that runs', { code: 'NODE_UNREACHABLE' });
    const { call } = await startTestFleet(onTestFinished, {
      member: (member) => (member.name === 'b' ? { ...member, dial: () => Promise.reject(fault) } : member),
    });

    const { status, envelope } = await call();

    expect({ status, failed: envelope.failed }).toMatchObject({
      status: 'partial',
      failed: [{ node: 'b', code: fault.code, message: fault.message, hint: fault.hint }],
    });
  });

  test('one that never opens is given up in time', async ({ expect, onTestFinished }) => {
    const { call } = await startTestFleet(onTestFinished, {
      limits: productLimits,
      member: (member) => (member.name === 'b' ? { ...member, dial: () => new Promise(() => {}) } : member),
    });

    const { envelope } = await call();

    expect(envelope).toMatchObject({ answered: 3, failed: [{ node: 'b', code: 'NODE_TIMEOUT' }] });
    expect(envelope.durationMs).toBeLessThan(5000);
  });
});

describe('the whole call', () => {
  // Node 20 collects a time-out of which only AbortSignal.any knows as garbage, and then it never comes.
  test('ends in time although garbage is collected while it waits', async ({ expect, onTestFinished }) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const collecting = setInterval(collect, 20);
    onTestFinished(() => clearInterval(collecting));
    const limits = { attemptMs: 100, firstAttemptMs: 200, nodeMs: 300, fanOutMs: 400 };
    const { call, enlist } = await startTestFleet(onTestFinished, { limits });
    enlist(() => new Promise(() => {}));

    await expect(call()).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  }, 10_000);

  test('tells how far it has come, once for each node', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.error500);

    const first = await call();
    const second = await call();
    nodes.b.behave(passOn);

    for (const { progress } of [first, second])
      expect(progress).toEqual([
        [1, 4],
        [2, 4],
        [3, 4],
        [4, 4],
      ]);
  });
});
