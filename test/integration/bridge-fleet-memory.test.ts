import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';

import { everyone, productLimits, startTestFleet, until } from '../support/bridge.ts';
import { faults, passOn } from '../support/fault-proxy.ts';

const all = { a: 1, b: 2, c: 3, d: 4 };
const others = { a: 1, c: 3, d: 4 };

describe.concurrent('a node that failed is remembered', () => {
  test('a call that names it waits for it, and then it is asked as before', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.error500);
    await call();
    nodes.b.behave(passOn);

    const passedOver = await call();
    const named = await call(undefined, { nodes: ['b'] });
    const after = await call();

    expect(passedOver).toMatchObject({ status: 'partial', gpus: others });
    expect(named).toMatchObject({ status: 'success', gpus: { b: 2 }, envelope: { nodesTotal: 1 } });
    expect(after).toMatchObject({ status: 'success', gpus: all });
  });

  test('until its pod becomes ready: then it is asked at once, over the stream of before', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call, enlist } = await startTestFleet(onTestFinished);
    const readiness = (ready: boolean) =>
      enlist((members) => everyone(members.map((member) => ({ ...member, ready }))));
    const streams = () => nodes.a.accepted();
    readiness(true);
    nodes.b.behave(faults.error500);
    await call();
    const opened = streams();
    nodes.b.behave(passOn);
    readiness(false);

    const unready = await call();
    readiness(true);

    expect(unready).toMatchObject({ status: 'partial', gpus: others });
    expect(await call()).toMatchObject({ status: 'success', gpus: all });
    expect(streams()).toBe(opened);
  });

  test('a call that names it while it is still bad waits, and says so anew', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { limits: productLimits });
    nodes.b.behave(faults.blackHole);
    const first = await call();

    const named = await call(undefined, { nodes: ['b'] });

    expect(named).toMatchObject({
      status: 'error',
      envelope: { failed: [{ node: 'b', code: 'NODE_TIMEOUT' }] },
    });
    expect(Date.parse(named.envelope.failed[0]?.lastTriedAt ?? '')).toBeGreaterThan(
      Date.parse(first.envelope.failed[0]?.lastTriedAt ?? ''),
    );
    expect(nodes.b.received).toHaveLength(2);
  });

  test('it comes back by itself, by a probe in the background', async ({ expect, onTestFinished }) => {
    const limits = { firstProbeMs: 30, lastProbeMs: 100 };
    const { nodes, call, bridgeLog } = await startTestFleet(onTestFinished, { limits });
    nodes.b.behave(faults.error500);
    const bad = await call();
    const asked = nodes.b.received.length;
    await until('probes that fail', () => nodes.b.received.length > asked + 4);
    nodes.b.behave(passOn);

    await until('b is back', () =>
      bridgeLog.some(({ msg, node }) => msg === 'node answers again' && node === 'b'),
    );

    expect(bad).toMatchObject({ status: 'partial', gpus: others });
    expect(await call()).toMatchObject({ status: 'success', gpus: all });
    expect(JSON.parse(nodes.b.received[asked]?.body ?? '{}')).toMatchObject({ method: 'server/discover' });
  });

  test('control: without probes it stays away', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.error500);
    await call();
    nodes.b.behave(passOn);

    await sleep(1000);

    expect(await call()).toMatchObject({ status: 'partial', gpus: others });
  });

  test('the answer says when it was last tried: by the last probe', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, {
      limits: { firstProbeMs: 30, lastProbeMs: 100 },
    });
    nodes.b.behave(faults.error500);
    const triedAt = async () => Date.parse((await call()).envelope.failed[0]?.lastTriedAt ?? '');
    const first = await triedAt();

    await until('a later try is told', async () => (await triedAt()) > first);

    expect((await call()).status).toBe('partial');
  });

  // It was probed for 10 min after it was last asked. A node that is passed over is never asked, so after 10 min of
  // use it was given up for good, and listed as failed for the rest of the bridge's life.
  test('it is probed, and not waited for, for as long as the bridge is used', async ({
    expect,
    onTestFinished,
  }) => {
    const limits = { firstProbeMs: 20, lastProbeMs: 50, warmMs: 1500 };
    const { nodes, call } = await startTestFleet(onTestFinished, { limits });
    const calls = () => nodes.b.received.filter(({ body }) => body.includes('tools/call')).length;
    nodes.b.behave(faults.error500);
    await call();
    const waited = calls();
    for (const startedMs = performance.now(); performance.now() - startedMs < 2.5 * limits.warmMs; ) {
      await call();
      await sleep(50);
    }
    const waitedLater = calls();
    nodes.b.behave(passOn);

    await until('b is back', async () => (await call()).status === 'success');

    expect([waited, waitedLater]).toEqual([5, 5]);
    expect((await call()).gpus).toEqual(all);
  });

  test('after a long pause nothing is known of it any more, and the next call asks it', async ({
    expect,
    onTestFinished,
  }) => {
    const limits = { firstProbeMs: 20, lastProbeMs: 50, warmMs: 200 };
    const { nodes, call } = await startTestFleet(onTestFinished, { limits });
    nodes.b.behave(faults.error500);
    await call();
    const probed = () => nodes.b.received.length;
    await until('probing has ended', async () => {
      const before = probed();
      await sleep(400);
      return probed() === before;
    });
    nodes.b.behave(passOn);

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
  });

  test('"any" is a healthy node, each in turn', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.error500);
    await call();

    const asked = [];
    for (let calls = 0; calls < 6; calls += 1)
      asked.push(Object.keys((await call(undefined, { nodes: ['any'] })).gpus).join());

    expect([...new Set(asked)].sort()).toEqual(['a', 'c', 'd']);
    expect(asked.slice(0, 3)).toEqual(asked.slice(3));
  });

  test('another agent in its place begins anew', async ({ expect, onTestFinished }) => {
    const { nodes, call, enlist } = await startTestFleet(onTestFinished);
    nodes.b.behave(faults.error500);
    await call();
    nodes.b.behave(passOn);
    enlist((members) => everyone(members.map((member) => ({ ...member, key: `new ${member.key}` }))));

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
    await until('the old streams are closed', () => Object.values(nodes).every((node) => node.open() === 1));
  });
});

describe.concurrent('who is in the fleet', () => {
  test('a node that has left is not asked, and its stream is closed', async ({ expect, onTestFinished }) => {
    const { nodes, call, enlist } = await startTestFleet(onTestFinished);
    await call();
    enlist((members) => everyone(members.filter(({ name }) => name !== 'b')));

    expect(await call()).toMatchObject({ status: 'success', gpus: others, envelope: { nodesTotal: 3 } });
    await until('its stream is closed', () => nodes.b.open() === 0);
  });

  test('an answer stands under the name that the roster gives, whatever the agent calls itself', async ({
    expect,
    onTestFinished,
  }) => {
    const { call, enlist } = await startTestFleet(onTestFinished);
    const swap: Readonly<Record<string, string>> = { a: 'b', b: 'a' };
    enlist((members) =>
      everyone(members.map((member) => ({ ...member, name: swap[member.name] ?? member.name }))),
    );

    expect((await call()).gpus).toEqual({ a: 2, b: 1, c: 3, d: 4 });
  });

  test('where nodes may not be listed the total is unknown, not a guess', async ({
    expect,
    onTestFinished,
  }) => {
    const { call, enlist } = await startTestFleet(onTestFinished);
    enlist((members) => ({ ...everyone(members), complete: false }));

    const { envelope, text } = await call();

    expect(envelope).toMatchObject({ status: 'success', nodesTotal: null, answered: 4 });
    expect(text).toContain('whether that is all cannot be told');
  });

  test('a name that there is not is refused, with those that there are', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { withoutAgent: [{ node: 'x', why: 'y' }] });

    await expect(call(undefined, { nodes: ['a', 'q*'] })).rejects.toMatchObject({
      code: 'NODE_NOT_FOUND',
      message: 'no GPU node matches q*; there are a,b,c,d,x',
    });
    expect(nodes.a.received).toHaveLength(0);
  });

  test('a GPU that nobody has may be on the node that did not answer, and that is said', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);

    await expect(call(undefined, { gpu: 'GPU-none' })).rejects.toMatchObject({ code: 'GPU_NOT_FOUND' });
    nodes.b.behave(faults.error500);
    const partial = await call(undefined, { gpu: 'GPU-none' });

    expect(partial.status).toBe('partial');
    expect(partial.text).toMatch(
      /NO ANSWER from b: [\s\S]*\nGPU_NOT_FOUND: no GPU GPU-none on any of the 3 nodes .*; it may be on/,
    );
  });
});
