import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { expect, type TestContext, test } from 'vitest';

import { launchAgent, runAgent, startAgent, until, within } from '../support/agent.ts';
import { modernRequest, toolRequest } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';

const clientInfo = { name: 'test', version: '1' };
const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
};
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
const toolCall = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'get_gpu_inventory', arguments: {} },
});

interface Reply {
  readonly id: unknown;
  readonly result?: { readonly content?: { readonly text: string }[] };
  readonly error?: { readonly code: number; readonly message: string };
}

function lines(...messages: object[]): string {
  return messages.map((message) => `${JSON.stringify(message)}\n`).join('');
}

function replies(stdout: string): Reply[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test.concurrent('two requests of 2025 with a notification between them are answered, then it ends', async (context) => {
  const driver = fakeDriver(context);

  const { code, stdout } = await runAgent(context, {
    args: [...driver.args, '--nvml-mode=real', '--oneshot=2'],
    env: driver.env,
    input: lines(initialize, initialized, toolCall(2), toolCall(3)),
  });

  const [first, second, ...more] = replies(stdout);
  expect(code).toBe(0);
  expect(first).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } });
  expect(second).toMatchObject({ id: 2 });
  expect(second?.result?.content?.[0]?.text).toMatch(/^2 GPUs on 1 node: 2 × NVIDIA H100/);
  expect(more).toEqual([]);
});

test.concurrent('it ends after the last request although stdin stays open', async (context) => {
  const agent = launchAgent(context, { args: ['--nvml-mode', 'simulated', '--oneshot', '1'] });

  agent.child.stdin.write(lines(toolCall(7)));

  const { code, stdout } = await within(agent.ended, 'the agent to end');
  expect(code).toBe(0);
  expect(replies(stdout).map(({ id }) => id)).toEqual([7]);
});

test.concurrent('requests of 2026 are answered', async (context) => {
  const discover = { ...modernRequest('server/discover').body, id: 'a' };
  const call = { ...toolRequest('get_gpu_health').body, id: 'b' };

  const { code, stdout } = await runAgent(context, {
    args: ['--nvml-mode', 'simulated', '--oneshot=2'],
    input: lines(discover, call),
  });

  expect(code).toBe(0);
  expect(replies(stdout)).toMatchObject([
    { id: 'a', result: { supportedVersions: expect.arrayContaining(['2026-07-28']) } },
    { id: 'b', result: { content: [{ text: expect.stringMatching(/^SIMULATED DATA/) }] } },
  ]);
});

test.concurrent('the end of stdin ends it before all requests have come, with those answered that had', async (context) => {
  const { code, stdout } = await runAgent(context, {
    args: ['--nvml-mode', 'simulated', '--oneshot=5'],
    input: lines(initialize, toolCall(2)).trimEnd(), // and no line break at the end
  });

  expect([code, replies(stdout).map(({ id }) => id)]).toEqual([0, [1, 2]]);
});

test.concurrent.for(['nonsense', '{"jsonrpc":', 'null', '5', '[]'])(
  'a line that is %s is answered as that, and not counted',
  async (line, context) => {
    const { code, stdout } = await runAgent(context, {
      args: ['--nvml-mode', 'simulated', '--oneshot=1'],
      input: `${line}\n\n${lines(toolCall(2))}`,
    });

    expect(code).toBe(0);
    expect(replies(stdout)).toMatchObject([{ id: null, error: { code: -32_700 } }, { id: 2 }]);
  },
);

test.concurrent('a request that is printed over several lines is told that it must be on one', async (context) => {
  const { stdout } = await runAgent(context, {
    args: ['--nvml-mode', 'simulated', '--oneshot=1'],
    input: `${JSON.stringify(toolCall(1), null, 2)}\n`,
  });

  expect(replies(stdout)[0]?.error?.message).toMatch(/each message must be on one line/);
});

test.concurrent('where an agent listens in the same pod it is asked, and no second driver is started', async (context) => {
  const driver = fakeDriver(context);
  const agent = await startAgent(context, { ...driver, env: { ...driver.env, NODE_NAME: 'gpu-7' } });

  const { code, stdout, stderr } = await runAgent(context, {
    args: [...driver.args, '--oneshot=3'],
    env: { ...driver.env, K8S_GPU_MCP_PORT: String(agent.port) },
    input: lines(initialize, initialized, toolCall(2), toolRequest('get_gpu_health').body),
  });

  expect([code, stderr, replies(stdout).map(({ id }) => id)]).toEqual([0, '', [1, 2, 1]]);
  expect(driver.calls()['nvmlInitWithFlags']).toBe(2); // the agent's: to sample, and to hear events
  await until(
    'its log tells of both calls',
    () => agent.log().filter(({ msg }) => msg === 'call').length === 2,
  );
});

test.concurrent('where the agent ends meanwhile the request is answered with an error', async (context) => {
  const agent = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });
  const oneshot = launchAgent(context, {
    args: ['--oneshot=2'],
    env: { K8S_GPU_MCP_PORT: String(agent.port) },
  });
  oneshot.child.stdin.write(lines(toolCall(1)));
  await until('the first is answered', () => oneshot.stdout() !== '');

  agent.child.kill('SIGKILL');
  await agent.ended;
  oneshot.child.stdin.write(lines(toolCall(2)));

  const { code, stdout } = await within(oneshot.ended, 'the agent to end');
  expect(code).toBe(0);
  expect(replies(stdout)).toMatchObject([{ id: 1 }, { id: 2, error: { code: -32_603 } }]);
});

const others: [what: string, listen: (test: TestContext) => Promise<number>][] = [
  ['nothing', async () => 1], // tcpmux: nobody listens there
  [
    'a web server',
    async (context) => {
      const server = createHttpServer((_request, response) => void response.end('{"jsonrpc":"2.0"}'));
      context.onTestFinished(() => void server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as AddressInfo).port;
    },
  ],
  [
    'something that never answers',
    async (context) => {
      const sockets = new Set<{ destroy(): void }>();
      const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
      context.onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as AddressInfo).port;
    },
  ],
];

test.concurrent.for(others)(
  'where %s listens on that port it asks the driver itself',
  async ([, listen], context) => {
    const driver = fakeDriver(context);
    const port = await listen(context);

    const { code, stdout } = await runAgent(context, {
      args: [...driver.args, '--oneshot=1'],
      env: { ...driver.env, K8S_GPU_MCP_PORT: String(port) },
      input: lines(toolCall(1)),
    });

    expect(code).toBe(0);
    expect(replies(stdout)[0]?.result?.content?.[0]?.text).toMatch(/^2 GPUs on 1 node/);
    expect(driver.calls()['nvmlInitWithFlags']).toBe(1);
  },
);

test.concurrent('without a driver a oneshot says so, and ends well', async (context) => {
  const { code, stdout } = await runAgent(context, {
    args: ['--nvml-library', '/nowhere/libnvidia-ml.so.1', '--oneshot=1'],
    input: lines(toolCall(1)),
  });

  expect(code).toBe(0);
  expect(stdout).toMatch(/DRIVER_NOT_FOUND for .*\/nowhere\/libnvidia-ml\.so\.1/);
});
