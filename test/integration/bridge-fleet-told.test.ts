import { describe, test } from 'vitest';

import { faults } from '../../src/core/fault.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { startTestFleet } from '../support/bridge.ts';
import { answering } from '../support/fault-proxy.ts';

const others = { a: 1, c: 3, d: 4 };
const token = 'a-token-of-the-user-0123456789';

describe.concurrent('what a node is told', () => {
  test('the request id of the answer is in the log of every agent, and in our own', async ({
    expect,
    onTestFinished,
  }) => {
    const { call, agentLog, bridgeLog } = await startTestFleet(onTestFinished);

    const { envelope, text } = await call();

    const told = agentLog.filter(({ msg, requestId }) => msg === 'call' && requestId === envelope.requestId);
    expect(told.map(({ node }) => node).sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(bridgeLog).toContainEqual(
      expect.objectContaining({ msg: 'call', requestId: envelope.requestId, answered: 4, failed: [] }),
    );
    expect(text).toContain(`request ${envelope.requestId}`);
  });

  test('each call has an id of its own', async ({ expect, onTestFinished }) => {
    const { call } = await startTestFleet(onTestFinished);

    const ids = (await Promise.all([call(), call(), call()])).map(({ envelope }) => envelope.requestId);

    expect(new Set(ids).size).toBe(3);
  });

  test('what is for the bridge stays with the bridge: agents get the rest, and always the whole detail', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);

    await call(inventory, { nodes: ['b'], detail: 'summary', limit: 5, cursor: 'row-0', gpu: 1 });

    const { params } = JSON.parse(nodes.b.received[0]?.body ?? '{}');
    expect(params).toMatchObject({ name: 'get_gpu_inventory', arguments: { gpu: 1, detail: 'full' } });
    expect(Object.keys(params.arguments).sort()).toEqual(['detail', 'gpu']);
  });

  test('the token, and only in the header; without one there is none', async ({ expect, onTestFinished }) => {
    const open = await startTestFleet(onTestFinished);
    const guarded = await startTestFleet(onTestFinished, { token, agentToken: token });

    await open.call();
    const answer = await guarded.call();

    expect(answer).toMatchObject({ status: 'success', gpus: { ...others, b: 2 } });
    expect(open.nodes.b.received[0]?.headers).not.toHaveProperty('authorization');
    expect(guarded.nodes.b.received[0]?.headers.authorization).toBe(`Bearer ${token}`);
    expect(guarded.nodes.b.received[0]?.body).not.toContain(token);
    expect(JSON.stringify([answer, guarded.bridgeLog, guarded.agentLog])).not.toContain(token);
  });

  test('a wrong token is said as what it is, with what to do, and is not repeated', async ({
    expect,
    onTestFinished,
  }) => {
    const { call } = await startTestFleet(onTestFinished, { token, agentToken: 'another-0123456789' });

    const { status, text } = await call();

    expect(status).toBe('error');
    expect(text).toContain('AGENT_UNAUTHORIZED: HTTP 401: A bearer token is needed');
    expect(text).toContain(faults.AGENT_UNAUTHORIZED.hint);
    expect(text).not.toContain(token);
  });

  test('a node that sends us elsewhere is not followed: the token goes nowhere', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { token, agentToken: token });
    nodes.b.behave(answering(307, '', { location: new URL('/mcp', nodes.a.origin).href }));

    const { envelope } = await call();

    expect(envelope.failed).toMatchObject([
      { node: 'b', code: 'NODE_BAD_ANSWER', message: expect.stringContaining('307') },
    ]);
    expect(nodes.a.received).toHaveLength(1);
  });
});
