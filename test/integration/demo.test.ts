import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { until } from '../support/bridge.ts';
import {
  type BridgeProcess,
  initialize,
  isRunning,
  type Ran,
  runBridge,
  startBridge,
} from '../support/bridge-process.ts';

const ends: (() => Promise<void>)[] = [];
const atTheEnd = (end: () => Promise<void>) => void ends.push(end);
afterAll(async () => void (await Promise.all(ends.map((end) => end()))));

describe('node dist/bridge.js demo', () => {
  let ran: Ran;
  beforeAll(async () => {
    ran = await runBridge(atTheEnd, { args: ['demo'] });
  });

  test('ends by itself, with success, and prints nothing on stderr', () => {
    expect(ran).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('shows each question with its answer', () => {
    const questions = ran.stdout.match(/^> .*\[get_gpu_\w+.*\]$/gm);

    expect(questions).toHaveLength(3);
    expect(ran.stdout).toMatch(
      /^> Are all GPUs of my cluster healthy\? {3}\[get_gpu_health\]\n\n {2}partial: /m,
    );
  });

  test('three of four nodes answer; the dead one is named, and so is the GPU that fails', () => {
    expect(ran.stdout).toMatch(/^ {2}partial: 3 of 4 GPU nodes answered/m);
    expect(ran.stdout).toMatch(/^ {2}NO ANSWER from gpu-node-4: NODE_UNREACHABLE: /m);
    expect(ran.stdout).toMatch(/^ {2}24 GPUs on 3 nodes: 1 failed, 23 ok\./m);
    expect(ran.stdout).toMatch(
      /^ {2}failed: gpu-node-2 GPU 3 .*the driver asks for a GPU reset.*Action resetGpu/m,
    );
  });

  test('says of every answer that it is made up', () => {
    const answers = ran.stdout.split(/^> /m).slice(1);

    for (const answer of answers) expect(answer).toContain('SIMULATED DATA: these GPUs are made up.');
  });

  test('what is to be pasted is JSON, and starts this very program', () => {
    const blocks = [...ran.stdout.matchAll(/^\{\n.*?^\}$/gms)].map(([json]) => JSON.parse(json));

    expect(blocks).toMatchObject([
      {
        mcpServers: {
          'k8s-gpu-mcp': {
            command: process.execPath,
            args: [expect.stringMatching(/bridge\.js$/), 'demo', '--stdio'],
          },
        },
      },
      {
        mcpServers: {
          'k8s-gpu-mcp': { command: process.execPath, args: [expect.stringMatching(/bridge\.js$/)] },
        },
      },
    ]);
  });

  test('leaves nothing listening', async () => {
    const ports = [...ran.stdout.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));

    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(await listens(port)).toBe(false);
  });
});

describe('node dist/bridge.js demo --stdio', () => {
  let bridge: BridgeProcess;
  beforeAll(async () => {
    bridge = startBridge(atTheEnd, { args: ['demo', '--stdio'] });
    await initialize(bridge);
  });

  test('is an MCP server with the same tools', async () => {
    const { result } = (await bridge.ask('tools/list')) as { result?: { tools: { name: string }[] } };

    expect(result?.tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
  });

  test.for(tools)('says of every answer of $name that it is made up', async ({ name }) => {
    for (const detail of ['summary', 'full']) {
      const answer = await bridge.ask('tools/call', { name, arguments: { detail } });

      expect(answer).toMatchObject({
        result: {
          content: [
            {
              text: expect.stringMatching(/^partial: 3 of 4 [\s\S]*SIMULATED DATA: these GPUs are made up\./),
            },
          ],
        },
      });
    }
  });

  test('ends with its host, and its nodes with it', async () => {
    bridge.child.stdin?.end();

    expect(await bridge.exit).toEqual({ code: 0, signal: null });
    await until('it has gone', () => !isRunning(bridge.child.pid ?? 0));
    for (const message of bridge.messages) expect(message).toMatchObject({ jsonrpc: '2.0' });
  });
});

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
