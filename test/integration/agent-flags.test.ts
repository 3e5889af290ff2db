import { createServer } from 'node:net';
import { expect, test } from 'vitest';

import { runAgent, startAgent } from '../support/agent.ts';
import { inventoryOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { freePort } from '../support/free-port.ts';

// Which values each flag takes is tested in test/unit/config-agent.test.ts; here, what the program makes of it.
test.concurrent.for([
  [['--prot', '8080'], /^agent: there is no flag --prot \(did you mean --port\?\)\. See --help\.\n$/],
  [['--port', 'http'], /^agent: .*'http' is invalid.*0 to 65535.*\n$/],
  [['--oneshot=2', '--port', '8080'], /^agent: --oneshot and --port exclude each other.*\n$/],
  [['--idle', '--port', '8080'], /^agent: --idle and --port exclude each other.*\n$/],
  [['--port', '8080', '--addr', '0.0.0.0'], /^agent: --addr 0\.0\.0\.0 is reachable.*--token-file.*\n$/],
] as const)(
  '%j ends with exit code 2, one sentence on stderr and nothing on stdout',
  async ([args, sentence], context) => {
    const { code, stdout, stderr } = await runAgent(context, { args });

    context.expect([code, stdout]).toEqual([2, '']);
    context.expect(stderr).toMatch(sentence);
  },
);

test('a bad variable is refused like a bad flag', async (context) => {
  const { code, stdout, stderr } = await runAgent(context, { env: { K8S_GPU_MCP_HEALTH_PORT: 'x' } });

  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^agent: K8S_GPU_MCP_HEALTH_PORT='x' is invalid.*0 to 65535.*\n$/);
});

test('a scenario with a mistake is refused, with the place', async (context) => {
  const driver = fakeDriver(context); // for its folder
  const { code, stderr } = await runAgent(context, {
    args: ['--nvml-mode', 'simulated', '--scenario', `${driver.folder}/config`],
  });

  expect(code).toBe(2);
  expect(stderr).toMatch(/^agent: .*config:1:1: .*\n$/);
});

test('--help names every flag, --version the version', async (context) => {
  const help = await runAgent(context, { args: ['--help'] });
  const version = await runAgent(context, { args: ['--version'] });

  expect([help.code, help.stderr, version.code, version.stderr]).toEqual([0, '', 0, '']);
  for (const flag of ['port', 'addr', 'health-port', 'health-addr', 'nvml-mode', 'nvml-library', 'scenario'])
    expect(help.stdout).toContain(`--${flag} <`);
  for (const flag of ['sample-interval', 'token-file', 'insecure-no-auth', 'oneshot', 'idle', 'log-level'])
    expect(help.stdout).toContain(`--${flag}`);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a port that is taken is told, with exit code 2', async (context) => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  context.onTestFinished(() => void other.close());

  const { code, stdout, stderr } = await runAgent(context, { args: ['--port', String(port)] });

  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}`);
});

test('a port that another agent has is told too: the two shared it once, and each got half of the calls', async (context) => {
  const first = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });

  const second = await runAgent(context, {
    args: ['--nvml-mode', 'simulated', '--port', String(first.port)],
  });

  expect([second.code, second.stdout]).toEqual([2, '']);
  expect(second.stderr).toMatch(
    new RegExp(`^agent: cannot listen on 127\\.0\\.0\\.1:${first.port}: .*\\n$`, 'm'),
  );
});

test('an address that does not exist is called that', async (context) => {
  const { code, stderr } = await runAgent(context, {
    args: ['--nvml-mode=simulated', '--port=1', '--addr=nohost.invalid', '--insecure-no-auth'],
  });

  expect(code).toBe(2);
  expect(stderr).toMatch(/^agent: cannot listen on nohost\.invalid: no such address.*\n$/);
});

test('all can be set by the environment', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, {
    env: { ...driver.env, K8S_GPU_MCP_NVML_LIBRARY: driver.library, K8S_GPU_MCP_LOG_LEVEL: 'error' },
  });

  expect((await inventoryOf(url)).gpus).toHaveLength(2);
});
