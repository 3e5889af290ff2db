import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { expect, type TestContext, test } from 'vitest';

import { tools as offered } from '../../src/tools/index.ts';
import { agentProgram, launchAgent, startAgent, until, within } from '../support/agent.ts';
import { clientOf, clients, connect, modernRequest, post } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';

test.concurrent.for(clients)('a host with %s lists and calls tools over HTTP', async (kind, context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);
  const client = await connect(context, kind, url);

  const { tools } = await client.listTools();
  const health = await client.callTool({ name: 'get_gpu_health', arguments: {} });
  const refused = await client.callTool({ name: 'get_gpu_health', arguments: { nodez: 1 } });

  expect(client.getServerVersion()).toMatchObject({ name: 'k8s-gpu-mcp-agent' });
  expect(client.getInstructions()).toMatch(/one Kubernetes node/);
  expect(tools.map(({ name }) => name)).toEqual(offered.map(({ name }) => name));
  for (const { annotations } of tools)
    expect(annotations).toMatchObject({ readOnlyHint: true, openWorldHint: false });
  expect(health.content).toEqual([
    { type: 'text', text: expect.stringMatching(/^2 GPUs on 1 node: 2 ok\./) },
  ]);
  expect(health.structuredContent).toBeUndefined();
  expect(refused).toMatchObject({ isError: true });
});

test.concurrent.for(['2025-11-25', '2025-06-18', '2025-03-26'])(
  'a host that opens in %s is answered in it',
  async (revision, context) => {
    const { url } = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });
    const params = {
      protocolVersion: revision,
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    };

    const response = await post(url, {
      body: { jsonrpc: '2.0', id: 1, method: 'initialize', params },
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    });

    expect(response.headers.get('mcp-session-id')).toBeNull();
    expect(await response.text()).toContain(`"protocolVersion":"${revision}"`);
  },
);

test.concurrent('the list of tools is the same every time, and says how long it may be kept', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);
  const list = async () => (await post(url, modernRequest('tools/list'))).text();

  const first = await list();
  driver.write({ driver: 'notLoaded' });
  const second = await list();

  expect(second).toBe(first);
  expect(JSON.parse(first)).toMatchObject({ result: { ttlMs: 300_000, cacheScope: 'public' } });
  expect(first.length).toBeLessThan(16_000);
});

test.concurrent('server/discover tells the revisions, and may be kept', async (context) => {
  const { url } = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });

  const answer = await (await post(url, modernRequest('server/discover'))).json();

  expect(answer).toMatchObject({
    result: {
      supportedVersions: expect.arrayContaining(['2026-07-28']),
      ttlMs: 300_000,
      cacheScope: 'public',
    },
  });
});

test.concurrent.for(['legacy', 'auto'] as const)(
  'a host that starts the agent as a program (%s) is answered on stdio',
  async (mode, context) => {
    const driver = fakeDriver(context);
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    const transport = new StdioClientTransport({
      command: agentProgram,
      args: [...driver.args],
      env: { ...driver.env },
      stderr: 'ignore',
    });
    context.onTestFinished(() => client.close());
    await client.connect(transport);

    const { tools } = await client.listTools();
    const { content } = await client.callTool({ name: 'get_gpu_inventory', arguments: {} });

    expect(tools.map(({ name }) => name)).toEqual(offered.map(({ name }) => name));
    expect(content).toEqual([
      { type: 'text', text: expect.stringMatching(/^2 GPUs on 1 node: 2 × NVIDIA H100/) },
    ]);
  },
);

test.concurrent('on stdio nothing but protocol is on stdout, whatever happens', async (context) => {
  const driver = fakeDriver(context);
  const agent = launchAgent(context, { ...driver, args: [...driver.args, '--log-level', 'debug'] });
  const say = (message: object | string) =>
    agent.child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);

  say(initialize);
  say('this is no JSON');
  say(call(2, { nodez: true }));
  await until('it has answered', () => agent.stdout().includes('"id":2'));
  driver.write({ driver: 'notLoaded' });
  await until('it has logged that', () => agent.log().some(({ msg }) => msg === 'driver unavailable'));
  say(call(3));
  agent.child.stdin.end();
  const { code, stdout } = await within(agent.ended, 'the agent to end');

  const messages = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(code).toBe(0);
  expect(messages.map(({ jsonrpc, id }) => [jsonrpc, id])).toEqual([
    ['2.0', 1],
    ['2.0', 2],
    ['2.0', 3],
  ]);
});

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

function call(id: number, args: object = {}) {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'get_gpu_inventory', arguments: args } };
}

test.concurrent('what was asked before stdin ended is answered, however slowly it is read', async (context) => {
  const requests = [initialize, ...Array.from({ length: 300 }, (_, at) => call(at + 2, { detail: 'full' }))];

  const stdout = await readSlowly(context, [], requests);

  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual(requests.map(({ id }) => id));
});

test.concurrent('a oneshot answers all, however slowly it is read', async (context) => {
  const requests = [initialize, ...Array.from({ length: 300 }, (_, at) => call(at + 2, { detail: 'full' }))];

  const stdout = await readSlowly(context, ['--oneshot=301'], requests);

  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual(requests.map(({ id }) => id));
});

/** More than a pipe holds is written before the first byte is read. */
async function readSlowly(context: TestContext, args: readonly string[], requests: readonly object[]) {
  const agent = launchAgent(context, { args: ['--nvml-mode', 'simulated', ...args] });
  agent.child.stdout.pause();
  agent.child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  await until('it has answered all', () => agent.log().filter(({ msg }) => msg === 'call').length === 300);
  await new Promise((resolve) => setTimeout(resolve, 500)); // by now it would have ended, with what was not read
  agent.child.stdout.resume();
  const { code, stdout } = await within(agent.ended, 'the agent to end');
  expect(code).toBe(0);
  return stdout;
}

test('the clients of the tests are what their names say', () => {
  expect(clients.map((kind) => clientOf(kind).constructor === Client)).toEqual([true, true, false]);
});
