import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { expect, onTestFinished, test } from 'vitest';
import { callTool } from '../../src/bridge/bridge.ts';
import { createFleet, type Fleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { memberOf } from '../../src/bridge/open-fleet.ts';
import { createLog } from '../../src/core/log.ts';
import { createAgent, loopbackDoor } from '../../src/server/agent.ts';
import { oneshot, type Post } from '../../src/server/oneshot.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { until } from '../support/bridge.ts';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import type { Program } from '../support/kube-api/exec.ts';
import { agentPod, daemonSet, gpuNode, type KubeObject } from '../support/kube-api/objects.ts';

const nodes = ['gpu-1', 'gpu-2'] as const;
type Mode = 'http' | 'stdio';
const silent = createLog('error', () => undefined);
const scenario = parseScenario(
  JSON.stringify({ nodes: nodes.map((name, at) => ({ name, gpus: [{ model: 'H100', count: at + 1 }] })) }),
  'test.json',
);

async function agentOn(node: string) {
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const spawnDriver = () => simulatedDriver({ scenario, node, nowMs });
  const options = { node, spawnDriver, simulated: true, sampleIntervalMs: 1000, log: silent };
  const agent = createAgent(options, 256 * 1024);
  onTestFinished(() => agent.stop());
  await agent.started;
  return agent.http({ ...loopbackDoor, maxInFlight: 32, responseMs: 90_000 });
}

/** Two nodes in a cluster whose DaemonSet can be rolled out, each pod with an agent that is really there, and really ends. */
async function rollable() {
  const targets: Record<string, number> = {};
  const programs: Record<string, Program> = {};
  const ends = new Map<string, () => void>();
  const objects = [daemonSet('agent', { desired: 2 }), ...nodes.map((node) => gpuNode(node))];
  const api = await kubeApi({ objects, targets, programs });
  let generation = 0;

  async function start(node: string, mode: Mode): Promise<KubeObject> {
    const name = `agent-${node}-${++generation}`;
    const createdAt = `2026-11-01T00:00:${String(generation).padStart(2, '0')}Z`;
    const pod = (ready: boolean) =>
      agentPod(node, {
        name,
        createdAt,
        labels: { 'k8s-gpu-mcp/mode': mode },
        status: {
          phase: 'Running',
          podIP: '10.0.0.7',
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
          containerStatuses: [{ name: 'agent', ready, state: { running: {} } }],
        },
      });
    api.put(pod(false)); // it runs, and does not answer yet
    await sleep(30);
    ends.set(name, await serve(name, node, mode));
    api.put(pod(true));
    return pod(true);
  }

  async function serve(name: string, node: string, mode: Mode): Promise<() => void> {
    const { fetch } = await agentOn(node);
    if (mode === 'stdio') {
      programs[name] = ({ stdin, stdout, exit }) => {
        const input = new PassThrough();
        input.end(stdin);
        const post: Post = async ({ headers, body }) =>
          fetch(
            new Request('http://localhost/mcp', {
              method: 'POST',
              headers: { host: 'localhost', ...headers },
              body,
            }),
          );
        return oneshot(input, stdout, 1, post).then(() => exit(0));
      };
      return () => delete programs[name];
    }
    const server = createServer(getRequestListener(fetch));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    targets[name] = (server.address() as AddressInfo).port;
    const end = () => {
      delete targets[name];
      server.close();
      server.closeAllConnections();
    };
    onTestFinished(end);
    return end;
  }

  /** As the kubelet: told, then the container, then the pod. */
  async function end(pod: KubeObject): Promise<void> {
    api.put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-11-01T01:00:00Z' } });
    ends.get(pod.metadata.name)?.();
    await sleep(30);
    api.remove(pod);
  }
  return { api, start, end };
}

async function gpusSeen(fleet: Fleet): Promise<unknown> {
  const { signal } = new AbortController();
  const args = { detail: 'full' };
  const { structured } = await callTool(fleet, inventory, args, { signal, onProgress: () => undefined });
  const rows = (structured['rows'] ?? []) as { node: string; gpu?: object }[];
  const gpus = nodes.map((name) => rows.filter(({ node, gpu }) => node === name && gpu).length);
  return { gpus, failed: structured['failed'], withoutAgent: structured['withoutAgent'] };
}

test('from http to stdio and back, node by node, while calls are made: every call carries every node’s data', async () => {
  const { api, start, end } = await rollable();
  let pods = await Promise.all(nodes.map((node) => start(node, 'http')));
  const cluster = clientOf(api);
  await cluster.view(soon(60_000)); // the Kubernetes client is loaded now, which is not what is tried here
  const member = memberOf(cluster, { transport: 'port-forward', token: undefined });
  const fleet = createFleet({
    roster: async (signal) => {
      const { agents, withoutAgent, nodesTotal, notes } = await cluster.view(signal);
      return { members: agents.map(member), withoutAgent, complete: nodesTotal !== null, notes };
    },
    token: undefined,
    limits: defaultLimits,
    log: silent,
  });
  onTestFinished(() => fleet.close());
  const seen = [await gpusSeen(fleet)];
  let rolling = true;
  const calling = Promise.all(
    [1, 2].map(async () => {
      while (rolling) seen.push(await gpusSeen(fleet));
    }),
  );

  for (const mode of ['stdio', 'http', 'stdio', 'http'] as const) {
    const next: KubeObject[] = [];
    for (const [at, node] of nodes.entries()) {
      next.push(await start(node, mode));
      if (pods[at]) await end(pods[at]);
    }
    pods = next;
    const settled = seen.length + 6;
    await until('more calls', () => seen.length > settled);
  }
  rolling = false;
  await calling;

  expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(
    new Set([JSON.stringify({ gpus: [1, 2], failed: [], withoutAgent: [] })]),
  );
});
