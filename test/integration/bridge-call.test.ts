import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';

import { startTestFleet, until } from '../support/bridge.ts';
import { bareEnvironment, isRunning, nodeFlags, runBridge } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { faults } from '../support/fault-proxy.ts';

const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nobody = ['--node', 'a=http://127.0.0.1:9'];

describe.concurrent('call: its exit code says how it went', () => {
  test('0: every node answered', async ({ expect, onTestFinished }) => {
    const args = [...nodeFlags(await startTestFleet(onTestFinished)), 'call', 'get_gpu_health'];

    const { code, stdout, stderr } = await runBridge(onTestFinished, { args });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^success: 4 of 4 GPU nodes answered \(request .*\)\.\nSIMULATED DATA.*\n10 GPUs on 4 nodes: 10 ok\./,
    );
  });

  test('3: one did not', async ({ expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);
    fleet.nodes.b.behave(faults.error500);

    const ran = await runBridge(onTestFinished, { args: ['call', 'get_gpu_health', ...nodeFlags(fleet)] });

    expect(ran).toMatchObject({ code: 3, stderr: '', stdout: expect.stringContaining('NO ANSWER from b: ') });
  });

  test('1: nobody answered', async ({ expect, onTestFinished }) => {
    const ran = await runBridge(onTestFinished, { args: [...nobody, 'call', 'get_gpu_health'] });

    expect(ran).toMatchObject({
      code: 1,
      stderr: '',
      stdout: expect.stringMatching(/^error: 0 of 1 GPU node answered/),
    });
  });

  test('1: there is no kubeconfig, and what to do is said', async ({ expect, onTestFinished }) => {
    const ran = await runBridge(onTestFinished, { args: ['call', 'get_gpu_health'] });

    expect(ran).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^KUBECONFIG_NOT_FOUND: .*\n$/),
    });
  });

  test('4: nobody answered in time', async ({ expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);
    fleet.nodes.b.behave(faults.blackHole);
    const args = ['--node', `b=${fleet.nodes.b.origin.origin}`, 'call', 'get_gpu_health'];

    const ran = await runBridge(onTestFinished, { args });

    expect(ran).toMatchObject({ code: 4, stdout: expect.stringContaining('NODE_TIMEOUT') });
  });

  test('4: the login hangs: its plugin is named, and does not outlive the call', async ({
    expect,
    onTestFinished,
  }) => {
    const pidFile = join(folder, 'plugin-pid');
    const kubeconfig = join(folder, 'kubeconfig-that-hangs');
    const script = `require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => {}, 1000)`;
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      interactiveMode: 'Never',
      command: process.execPath,
      args: ['-e', script],
    };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'prod',
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:9' } }],
      users: [{ name: 'u', user: { exec } }],
      contexts: [{ name: 'prod', context: { cluster: 'c', user: 'u' } }],
    };
    writeFileSync(kubeconfig, JSON.stringify(config));

    const ran = await runBridge(onTestFinished, {
      args: ['--timeout', '3500ms', 'call', 'get_gpu_health'],
      env: { KUBECONFIG: kubeconfig },
    });

    expect(ran).toMatchObject({ code: 4, stdout: '' });
    expect(ran.stderr).toMatch(/^CREDENTIAL_PLUGIN_FAILED: the login of context prod .*\n$/);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await until('the plugin has gone', () => !isRunning(pid));
  });

  test('https:// to a port that speaks http is told in one line', async ({ expect, onTestFinished }) => {
    const { nodes } = await startTestFleet(onTestFinished);
    const node = `b=https://${nodes.b.origin.host}`;

    const ran = await runBridge(onTestFinished, { args: ['--node', node, 'call', 'get_gpu_health'] });

    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(
      /^error: 0 of 1 .*\nNO ANSWER from b: NODE_UNREACHABLE: .*(SSL|TLS|EPROTO)[^\n]*\w\. Look at[^\n]*\n$/i,
    );
  });

  test.for<[string, readonly string[], RegExp]>([
    ['no tool', ['call'], /the tool is missing: one of get_gpu_inventory, get_gpu_health/],
    ['a tool that there is not', ['call', 'get_weather'], /no tool get_weather; there are get_gpu_/],
    [
      'a tool that is mistyped',
      ['call', 'get_gpu_helth'],
      /^there is no tool get_gpu_helth .*get_gpu_health\?\)/,
    ],
    [
      'a word that is no argument',
      ['call', 'get_gpu_health', 'now'],
      /'now' is not .* key=value; keys are gpu, /,
    ],
    [
      'an argument that there is not',
      ['call', 'get_gpu_health', 'node=a'],
      /^unknown argument "node" .*nodes\?/,
    ],
    ['a value that is wrong', ['call', 'get_gpu_health', 'limit=many'], /^limit: /],
    ['broken JSON', ['call', 'get_gpu_health', '{"gpu":'], /the arguments are not JSON/],
    [
      'a flag that there is not',
      ['call', 'get_gpu_health', '--bogus'],
      /there is no flag --bogus; there are /,
    ],
    ['a command that there is not', ['ask'], /no command ask; there are call, demo/],
    [
      'a waiting time that breaks the ladder',
      ['--timeout', '2s', 'call', 'get_gpu_health'],
      /--timeout\) \(2000 ms\) must be longer than node \(3000 ms\)/,
    ],
  ])('2: %s', async ([, args, message], { expect, onTestFinished }) => {
    const ran = await runBridge(onTestFinished, { args: [...nobody, ...args] });

    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(ran.stderr.trimEnd()).not.toContain('\n');
  });
});

describe.concurrent('call: the forms of its arguments', () => {
  test.for<[string, readonly string[], string, RegExp]>([
    ['a list', ['nodes=a,c'], '4 GPUs on 2 nodes', /^success: 2 of 2/],
    ['a glob', ['nodes=[ab]'], '3 GPUs on 2 nodes', /^success: 2 of 2/],
    ['a glob with a comma of its own', ['nodes={a,c}'], '4 GPUs on 2 nodes', /^success: 2 of 2/],
    ['several', ['nodes=d', 'gpu=3', 'detail=full'], 'd GPU 3', /1 GPU on 1 node/],
    ['a number', ['limit=1', 'detail=full'], 'cursor="row-1"', /a GPU 0/],
    ['a value with an equals sign', ['gpu=GPU=1'], 'no GPU GPU=1', /GPU_NOT_FOUND/],
    ['JSON', ['{"nodes": ["d"], "gpu": 3}'], 'd GPU 3', /1 GPU on 1 node/],
  ])('%s', async ([, words, contained, matched], { expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);

    const { stdout, stderr } = await runBridge(onTestFinished, {
      args: [...nodeFlags(fleet), 'call', 'get_gpu_health', ...words],
    });

    expect(stdout + stderr).toContain(contained);
    expect(stdout + stderr).toMatch(matched);
  });

  test('--structured prints the data', async ({ expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);

    const { stdout } = await runBridge(onTestFinished, {
      args: [...nodeFlags(fleet), '--structured', 'call', 'get_gpu_inventory'],
    });

    expect(JSON.parse(stdout)).toMatchObject({
      status: 'success',
      nodesTotal: 4,
      gpus: 10,
      failed: [],
      rows: expect.any(Array),
    });
  });
});

describe.concurrent('flags where a process is needed to see them', () => {
  test('nodes and token by environment, as hosts give them that mangle arguments', async ({
    expect,
    onTestFinished,
  }) => {
    const token = 'a-token-of-the-user-0123456789';
    const fleet = await startTestFleet(onTestFinished, { agentToken: token });
    const file = join(folder, 'token');
    writeFileSync(file, `${token}\n`);
    const nodes = Object.entries(fleet.nodes).map(([name, { origin }]) => `${name}=${origin.href}`);

    const { code, stdout } = await runBridge(onTestFinished, {
      args: ['call', 'get_gpu_health'],
      env: { K8S_GPU_MCP_NODE: nodes.join(','), K8S_GPU_MCP_TOKEN_FILE: file },
    });

    expect(code).toBe(0);
    expect(stdout).toMatch(/^success: 4 of 4/);
    expect(fleet.nodes.a.received[0]?.headers.authorization).toBe(`Bearer ${token}`);
  });

  test('--help and --version go to stdout, and are no error', async ({ expect, onTestFinished }) => {
    const help = await runBridge(onTestFinished, { args: ['--help'] });
    const version = await runBridge(onTestFinished, { args: ['--version'] });

    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--node <name=url>') });
    expect(version).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  test('a server whose stdin is closed from the start ends at once', async ({ expect, onTestFinished }) => {
    expect(await runBridge(onTestFinished, {})).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test.for([['call', 'get_gpu_health'], ['demo'], ['--help']])(
    '%j: a reader that has gone, as behind "| head", is no crash',
    async (args, { expect, onTestFinished }) => {
      const fleet = await startTestFleet(onTestFinished);
      const child = spawn(process.execPath, [bridgeEntry, ...nodeFlags(fleet), ...args], {
        env: { ...bareEnvironment },
      });
      onTestFinished(async () => void child.kill('SIGKILL'));
      child.stdout.destroy();
      let stderr = '';
      child.stderr.on('data', (text) => {
        stderr += text;
      });

      const code = await new Promise((resolve) => child.on('close', resolve));

      expect(stderr).toBe('');
      expect(code).toBeTypeOf('number');
    },
  );
});
