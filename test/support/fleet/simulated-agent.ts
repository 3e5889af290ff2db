import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { createLog } from '../../../src/core/log.ts';
import { createAgent, loopbackDoor } from '../../../src/server/agent.ts';
import { simulatedDriver } from '../../../src/simulate/driver.ts';
import type { Scenario } from '../../../src/simulate/scenario.ts';

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
