import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

import { populate } from '../cluster/fleet-of-20.ts';
import { atExit } from '../support/cluster/clean-up.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { compiledAgent } from '../support/fleet/agents.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import { machineNode } from './bridge-host.ts';
import type { AgentsStart, AgentsStarted, Misbehaviour, Seen } from './fleet-agents.ts';
import { type KnownNode, knownNodes } from './fleet-success.ts';

/** Real API server, real port-forwards, and an agent for each node: some the compiled binary, the others in one process. */
export interface BenchFleet {
  readonly nodes: readonly KnownNode[];
  /** Of README's viewer. */
  readonly kubeconfig: string;
  /** Lets the agents in the one process misbehave from now on; resolves to what they have seen since the last time. */
  misbehave(next: Misbehaviour): Promise<Seen>;
  /**
   * From now on port-forwards end in a kubelet that closes a stream whose far end closed, as kwok does not, and every
   * node's agent is in the one process.
   */
  useClosingKubelet(): Promise<void>;
  stop(): Promise<void>;
}

const compiledNodes = 3;

export async function startBenchFleet(count: number): Promise<BenchFleet> {
  const names = Array.from({ length: count }, (_, at) => `node-${at + 1}`);
  const fleet = fleetScenario(names);
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const cluster = await startCluster({ version: '1.34' });
    stops.push(cluster.stop);
    const folder = dirname(cluster.caPath);
    const certificate = { cert: join(folder, 'serving.crt'), key: join(folder, 'serving.key') };
    const crowd = await startAgents({ nodes: names, certificate });
    stops.push(crowd.stop);
    const ports = new Map(Object.entries(crowd.ports).map(([node, port]) => [node, { port }]));
    for (const node of names.slice(0, compiledNodes)) {
      const agent = await compiledAgent(fleet.scenario, node);
      stops.push(agent.stop);
      ports.set(node, agent);
    }
    await populate(cluster, ports);
    return {
      nodes: knownNodes(fleet),
      kubeconfig: cluster.kubeconfig('viewer'),
      misbehave: crowd.misbehave,
      useClosingKubelet: () => setKubelet(cluster, names, crowd.kubeletPort),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function setKubelet(cluster: Cluster, nodes: readonly string[], port: number): Promise<void> {
  const status = { daemonEndpoints: { kubeletEndpoint: { Port: port } } };
  await Promise.all(
    nodes.map((name) => cluster.patchStatus({ apiVersion: 'v1', kind: 'Node', name }, status)),
  );
}

interface Agents extends AgentsStarted {
  misbehave(next: Misbehaviour): Promise<Seen>;
  stop(): Promise<void>;
}

/** Bundled first: it is TypeScript, and runs as agents in the tests do, on Node. */
async function startAgents(start: AgentsStart): Promise<Agents> {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-bench-'));
  await Bun.build({
    entrypoints: [join(import.meta.dirname, 'fleet-agents.ts')],
    outdir: folder,
    target: 'node',
    naming: 'agents.mjs',
  });
  const child = spawn(machineNode, [join(folder, 'agents.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const end = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const callOff = atExit(end);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async <Answer>(question: object): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('the agents have ended');
    return JSON.parse(value) as Answer;
  };
  const stop = async () => {
    callOff();
    end();
    await gone;
  };
  try {
    const started = await ask<AgentsStarted>(start);
    return { ...started, misbehave: (next) => ask<Seen>(next), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
