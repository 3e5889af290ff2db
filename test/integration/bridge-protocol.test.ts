import { describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { startTestFleet, until } from '../support/bridge.ts';
import { initialize, modern, nodeFlags, startBridge } from '../support/bridge-process.ts';
import { faults } from '../support/fault-proxy.ts';

const names = tools.map(({ name }) => name);
const toolCall = { name: 'get_gpu_health', arguments: {} };

describe.concurrent('before any cluster is there', () => {
  test.for(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])(
    'a host of %s is greeted in its own revision, and gets the tools',
    async (version, { expect, onTestFinished }) => {
      const bridge = startBridge(onTestFinished);

      const greeting = await initialize(bridge, version);
      const listed = await bridge.ask('tools/list');

      expect(greeting['result']).toMatchObject({
        protocolVersion: version,
        serverInfo: { name: 'k8s-gpu-mcp' },
        capabilities: { tools: {} },
        instructions: expect.stringContaining('Never take silence for health'),
      });
      expect(listed['result']).toMatchObject({ tools: names.map((name) => ({ name })) });
    },
  );

  test('a host of 2026 discovers it without a handshake', async ({ expect, onTestFinished }) => {
    const bridge = startBridge(onTestFinished);

    const discovered = await bridge.ask('server/discover', modern());
    const listed = await bridge.ask('tools/list', modern());

    expect(discovered['result']).toMatchObject({ supportedVersions: expect.arrayContaining(['2026-07-28']) });
    expect(listed['result']).toMatchObject({
      tools: names.map((name) => ({ name })),
      ttlMs: 300_000,
      cacheScope: 'public',
    });
  });

  test('a host that discovers and then shakes hands all the same, as Claude Code does, is served', async ({
    expect,
    onTestFinished,
  }) => {
    const bridge = startBridge(onTestFinished);
    await bridge.ask('server/discover', modern());

    const greeting = await initialize(bridge);
    const listed = await bridge.ask('tools/list');

    expect(greeting).toHaveProperty('result.protocolVersion', '2025-11-25');
    expect(listed).toHaveProperty('result.tools.length', names.length);
  });

  test('a call without a kubeconfig is an answer that says what to do, not a crash', async ({
    expect,
    onTestFinished,
  }) => {
    const bridge = startBridge(onTestFinished);
    await initialize(bridge);

    const answers = [await bridge.ask('tools/call', toolCall), await bridge.ask('tools/call', toolCall)];

    for (const answer of answers) {
      expect(answer['result']).toMatchObject({
        isError: true,
        content: [
          {
            type: 'text',
            text: expect.stringMatching(
              /^KUBECONFIG_NOT_FOUND: .*\/does\/not\/exist\/kubeconfig.* Set KUBECONFIG/,
            ),
          },
        ],
        _meta: { 'k8s-gpu-mcp/code': 'KUBECONFIG_NOT_FOUND' },
      });
    }
  });

  test('a tool that there is not is a protocol error, and the bridge goes on', async ({
    expect,
    onTestFinished,
  }) => {
    const bridge = startBridge(onTestFinished);
    await initialize(bridge);

    const answer = await bridge.ask('tools/call', { name: 'get_weather', arguments: {} });

    expect(answer).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('get_weather') },
    });
    expect(await bridge.ask('tools/list')).toHaveProperty('result.tools.length', names.length);
  });

  test('two at once do not know of each other', async ({ expect, onTestFinished }) => {
    const bridges = [startBridge(onTestFinished), startBridge(onTestFinished)];

    const greetings = await Promise.all(bridges.map((bridge) => initialize(bridge)));

    for (const greeting of greetings)
      expect(greeting).toHaveProperty('result.serverInfo.name', 'k8s-gpu-mcp');
  });
});

describe.concurrent('over a fleet', () => {
  test('progress is told to a host that asked, rising to the whole; to no other', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    const bridge = startBridge(onTestFinished, { args: nodeFlags(fleet) });
    await initialize(bridge);

    await bridge.ask('tools/call', toolCall);
    const silent = bridge.messages.filter(({ method }) => method !== undefined);
    await bridge.ask('tools/call', { ...toolCall, _meta: { progressToken: 'mine' } });

    expect(silent).toEqual([]);
    expect(
      bridge.messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params),
    ).toEqual(
      [1, 2, 3, 4].map((progress) => ({
        progressToken: 'mine',
        progress,
        total: 4,
        message: `${progress}/4 nodes`,
      })),
    );
  });

  test('a host that cancels is answered no more, and the node sees it', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    const { b } = fleet.nodes;
    const bridge = startBridge(onTestFinished, { args: nodeFlags(fleet) });
    await initialize(bridge);
    b.behave(faults.blackHole);
    bridge.send({ id: 77, method: 'tools/call', params: toolCall });
    await until('b is asked', () => b.received.length === 1);

    bridge.send({ method: 'notifications/cancelled', params: { requestId: 77, reason: 'enough' } });

    await until('b sees it', () => b.received[0]?.abandoned() === true && b.open() === 0);
    expect(await bridge.ask('ping')).toHaveProperty('result');
    expect(bridge.messages.filter(({ id }) => id === 77)).toEqual([]);
  });

  test('nothing but JSON-RPC is on stdout, whatever is logged, and the log is on stderr', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    fleet.nodes.b.behave(faults.garbage);
    const bridge = startBridge(onTestFinished, { args: [...nodeFlags(fleet), '--log-level', 'debug'] });
    await initialize(bridge);

    await bridge.ask('tools/call', toolCall);
    await bridge.ask('tools/call', { name: 'get_gpu_health', arguments: { nope: 1 } });
    bridge.child.stdin?.write('this is not JSON\n{"jsonrpc":"2.0"}\n[]\n');
    await bridge.ask('no/such/method');
    await bridge.ask('tools/list');

    for (const message of bridge.messages) expect(message).toMatchObject({ jsonrpc: '2.0' });
    const logged = bridge
      .stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(logged).toContainEqual(expect.objectContaining({ level: 'info', msg: 'call', answered: 3 }));
  });
});

test('all nodes failing is an error result, and names them', async ({ onTestFinished }) => {
  const args = ['--node', 'a=http://127.0.0.1:9', '--node', 'b=http://127.0.0.1:9'];
  const bridge = startBridge(onTestFinished, { args });
  await initialize(bridge);

  const answer = await bridge.ask('tools/call', toolCall);

  expect(answer['result']).toMatchObject({
    isError: true,
    content: [
      {
        text: expect.stringMatching(
          /^error: 0 of 2 GPU nodes answered.*\nNO ANSWER from .*a.*NODE_UNREACHABLE/,
        ),
      },
    ],
    _meta: { 'k8s-gpu-mcp/code': 'NODE_UNREACHABLE' },
  });
});
