import { describe, test } from 'vitest';

import { productLimits, startTestFleet } from '../support/bridge.ts';
import { faults, passOn } from '../support/fault-proxy.ts';

const fanOutMs = 5000;
const others = { a: 1, c: 3, d: 4 };

/** What befalls node b, what it is called, how often b is asked in one call, and whether the next call waits for it again. */
const cases: readonly [keyof typeof faults, string, number, boolean][] = [
  ['reset', 'NODE_UNREACHABLE', 5, false],
  ['halfClose', 'NODE_UNREACHABLE', 5, false],
  ['truncated', 'NODE_UNREACHABLE', 5, false],
  ['blackHole', 'NODE_TIMEOUT', 1, false],
  ['slowLoris', 'NODE_TIMEOUT', 1, false],
  ['error500', 'NODE_BAD_ANSWER', 5, false],
  ['garbage', 'NODE_BAD_ANSWER', 5, false],
  ['notFound', 'NODE_BAD_ANSWER', 5, false],
  ['busy', 'AGENT_BUSY', 5, true],
  ['unauthorized', 'AGENT_UNAUTHORIZED', 1, true],
];

describe.concurrent('one bad node costs only its own answer', () => {
  test.for(cases)(
    '%s is %s, after %i attempts',
    async ([fault, code, attempts, again], { expect, onTestFinished }) => {
      const { nodes, call } = await startTestFleet(onTestFinished, { limits: productLimits });
      nodes.b.behave(faults[fault]);

      const first = await call();
      const asked = nodes.b.received.length;
      const second = await call();

      expect(first).toMatchObject({
        status: 'partial',
        gpus: others,
        envelope: { nodesTotal: 4, answered: 3, failed: [{ node: 'b', code }], withoutAgent: [] },
      });
      expect(first.gpus).not.toHaveProperty('b');
      expect(first.envelope.durationMs).toBeLessThan(fanOutMs);
      expect(asked).toBe(attempts);
      expect(second).toMatchObject({
        status: 'partial',
        gpus: others,
        envelope: { failed: [{ node: 'b', code }] },
      });
      expect(nodes.b.received).toHaveLength(again ? 2 * attempts : attempts);
      if (!again) expect(second.envelope.failed[0]?.lastTriedAt).toBe(first.envelope.failed[0]?.lastTriedAt);
    },
  );

  test('nobody listens: NODE_UNREACHABLE, and the next call does not try', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    await nodes.b.down();

    const first = await call();
    const second = await call();

    for (const { status, gpus, envelope } of [first, second])
      expect({ status, gpus, failed: envelope.failed }).toMatchObject({
        status: 'partial',
        gpus: others,
        failed: [{ node: 'b', code: 'NODE_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') }],
      });
    expect(second.envelope.failed[0]?.lastTriedAt).toBe(first.envelope.failed[0]?.lastTriedAt);
  });

  test('three nodes, each bad in its own way, and all three are named', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished, { limits: productLimits });
    nodes.a.behave(faults.error500);
    nodes.b.behave(faults.blackHole);
    await nodes.d.down();

    const { status, gpus, text, envelope } = await call();

    expect({ status, gpus }).toEqual({ status: 'partial', gpus: { c: 3 } });
    expect(envelope.failed.map(({ node, code }) => `${node} ${code}`)).toEqual([
      'a NODE_BAD_ANSWER',
      'b NODE_TIMEOUT',
      'd NODE_UNREACHABLE',
    ]);
    for (const line of [
      /^NO ANSWER from a: NODE_BAD_ANSWER: HTTP 500: out of order\. /m,
      /^NO ANSWER from b: NODE_TIMEOUT/m,
    ])
      expect(text).toMatch(line);
  });

  test('all nodes bad is an error, and the next call waits for them again', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    for (const node of Object.values(nodes)) node.behave(faults.reset);

    const first = await call();
    for (const node of Object.values(nodes)) node.behave(passOn);
    const second = await call();

    expect(first).toMatchObject({ status: 'error', gpus: {}, envelope: { nodesTotal: 4, answered: 0 } });
    expect(first.envelope.failed.map(({ node }) => node)).toEqual(['a', 'b', 'c', 'd']);
    expect(second).toMatchObject({ status: 'success', gpus: { ...others, b: 2 } });
  });

  test('a GPU node without an agent is counted and named, and the answer is partial', async ({
    expect,
    onTestFinished,
  }) => {
    const withoutAgent = [{ node: 'x', why: 'DaemonSet wants 8, has 6' }];
    const { call } = await startTestFleet(onTestFinished, { withoutAgent });

    const { status, text, envelope } = await call();
    const named = await call(undefined, { nodes: ['a'] });
    const alone = await call(undefined, { nodes: ['x'] });

    expect(envelope).toMatchObject({ nodesTotal: 5, answered: 4, failed: [], withoutAgent });
    expect(status).toBe('partial');
    expect(text).toContain('NO AGENT on x: DaemonSet wants 8, has 6.');
    expect(named).toMatchObject({
      status: 'success',
      envelope: { nodesTotal: 1, answered: 1, withoutAgent: [] },
    });
    expect(alone).toMatchObject({ status: 'error', envelope: { nodesTotal: 1, answered: 0, withoutAgent } });
  });

  test('control: with longer waits the same black hole does hold the answer back', async ({
    expect,
    onTestFinished,
  }) => {
    const limits = { firstAttemptMs: fanOutMs + 1000, nodeMs: fanOutMs + 2000, fanOutMs: fanOutMs + 3000 };
    const { nodes, call } = await startTestFleet(onTestFinished, { limits });
    nodes.b.behave(faults.blackHole);

    const { envelope } = await call();

    expect(envelope.durationMs).toBeGreaterThan(fanOutMs);
    expect(envelope).toMatchObject({ answered: 3, failed: [{ node: 'b', code: 'NODE_TIMEOUT' }] });
  });
});

describe.concurrent('a fault that passes is not seen', () => {
  const once: readonly (keyof typeof faults)[] = [
    'reset',
    'halfClose',
    'truncated',
    'error500',
    'garbage',
    'busy',
  ];

  test.for(once)('%s, four times: the fifth attempt answers', async (fault, { expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.next(...Array(4).fill(faults[fault]));

    const answer = await call();

    expect(answer).toMatchObject({ status: 'success', gpus: { ...others, b: 2 } });
    expect(nodes.b.received).toHaveLength(5);
  });

  test('control: five times is once too often', async ({ expect, onTestFinished }) => {
    const { nodes, call } = await startTestFleet(onTestFinished);
    nodes.b.next(...Array(5).fill(faults.truncated));

    expect(await call()).toMatchObject({ status: 'partial', envelope: { failed: [{ node: 'b' }] } });
    expect(nodes.b.received).toHaveLength(5);
  });
});
