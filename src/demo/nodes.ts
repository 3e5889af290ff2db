import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { getRequestListener } from '@hono/node-server';

import type { Log } from '../core/log.ts';
import { type Agent, createAgent, loopbackDoor } from '../server/agent.ts';
import { History } from '../server/history/history.ts';
import { httpLimits } from '../server/limits.ts';
import { bootClock, momentOf } from '../server/node-clock.ts';
import { demoScenario } from '../simulate/built-in.ts';
import { simulatedDriver } from '../simulate/driver.ts';
import { simulatedProcessOnNode } from '../simulate/processes.ts';
import { nodeNames } from '../simulate/scenario.ts';

export interface NamedUrl {
  readonly name: string;
  readonly url: URL;
}

export interface DemoFleet {
  readonly urls: readonly NamedUrl[];
  close(): void;
}

const sampleIntervalMs = 1000;

/**
 * Four simulated nodes on free loopback ports, each the agent's own HTTP stack. One has a failing GPU; the last is
 * dead: nothing listens there.
 */
export async function startDemoFleet(log: Log): Promise<DemoFleet> {
  const agents: Agent[] = [];
  const servers: Server[] = [];
  const urls: NamedUrl[] = [];
  for (const node of nodeNames(demoScenario)) {
    const agent = createAgent(agentOptions(node, log), httpLimits.bodyBytes);
    const { fetch } = agent.http({ ...loopbackDoor, ...httpLimits });
    const server = createServer(getRequestListener(fetch));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    urls.push({ name: node, url: new URL(`http://127.0.0.1:${port}`) });
    agents.push(agent);
    servers.push(server);
  }
  await Promise.all(agents.map(({ started }) => started));
  servers.pop()?.close();
  return {
    urls,
    close() {
      for (const agent of agents) agent.stop();
      for (const server of servers) server.close().closeAllConnections();
    },
  };
}

function agentOptions(node: string, log: Log) {
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const spawnDriver = () => simulatedDriver({ scenario: demoScenario, node, nowMs });
  // The call lines of three agents would drown the answers.
  const quiet: Log = { ...log, info: log.debug };
  const processes = {
    onNode: simulatedProcessOnNode(node, Date.now()),
    allocations: () => ({ reason: 'simulated nodes have no kubelet' }),
  };
  const clock = bootClock();
  const history = new History({ intervalMs: sampleIntervalMs, now: () => momentOf(clock) });
  return { node, spawnDriver, clock, history, processes, simulated: true, sampleIntervalMs, log: quiet };
}
