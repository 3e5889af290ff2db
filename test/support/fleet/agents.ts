import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { createLog } from '../../../src/core/log.ts';
import { createAgent, loopbackDoor } from '../../../src/server/agent.ts';
import { simulatedDriver } from '../../../src/simulate/driver.ts';
import type { Scenario } from '../../../src/simulate/scenario.ts';
import { agentBinary } from '../build.ts';
import { buildFakeNvml, writeFakeNvml } from '../nvml/fake-nvml.ts';
import { toFakeNvml } from '../scenario/to-fake-nvml.ts';

export interface RunningAgent {
  readonly port: number;
  stop(): Promise<void>;
}

const limits = { maxInFlight: 32, responseMs: 90_000 };

/** The agent's own code on simulated GPUs, in this process: many of them cost little. */
export async function simulatedAgent(
  scenario: Scenario,
  node: string,
  onLine: (line: string) => void = () => undefined,
): Promise<RunningAgent> {
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const agent = createAgent(
    {
      node,
      spawnDriver: () => simulatedDriver({ scenario, node, nowMs }),
      simulated: true,
      sampleIntervalMs: 1000,
      log: createLog('info', onLine),
    },
    256 * 1024,
  );
  const server = createServer(getRequestListener(agent.http({ ...loopbackDoor, ...limits }).fetch));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  await agent.started;
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      agent.stop();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The compiled agent on the C fake: a process of its own, as on a node. */
export async function compiledAgent(
  scenario: Scenario,
  node: string,
  { nodeName = node }: { nodeName?: string } = {},
): Promise<RunningAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const fake = join(folder, 'nvml.conf');
  writeFakeNvml(fake, toFakeNvml(scenario, node, 0));
  const port = await freePort();
  const child = spawn(agentBinary, ['--port', String(port), '--nvml-library', buildFakeNvml()], {
    cwd: folder,
    env: { FAKE_NVML_CONFIG: fake, NODE_NAME: nodeName },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ready(child);
  return {
    port,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      log += chunk;
      if (log.includes('"msg":"ready"')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${log}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
