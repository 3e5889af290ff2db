import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import type { KubernetesVersion } from '../support/cluster/programs.ts';
import { rolesFromReadme } from '../support/cluster/viewer.ts';
import { compiledAgent } from '../support/fleet/agents.ts';
import { type FleetScenario, fleetScenario } from '../support/fleet/scenario.ts';
import { type RunningAgent, simulatedAgent } from '../support/fleet/simulated-agent.ts';

export const namespace = 'gpu-mcp';
export const nodeNames = Array.from({ length: 20 }, (_, at) => `node-${at + 1}`);
/** The agents of these are the compiled binary on the C fake; the others run in the test's own process. */
const compiled = new Set(['node-1', 'node-2', 'node-3']);

/** The agent of this node says of itself that it is node-1. */
export const liar = 'node-3';

/** A cluster of 20 GPU nodes, each with an agent whose GPUs are like no other's, as seen by `viewer`. */
export interface FleetOf20 extends FleetScenario {
  readonly cluster: Cluster;
  readonly daemonSet: { readonly name: string; readonly uid: string };
  readonly agents: ReadonlyMap<string, RunningAgent>;
  /** What the agents running in this process have logged. */
  readonly log: readonly string[];
  podOf(node: string): string;
  /** Lets the node's port-forward end elsewhere; without a port, in its agent again. */
  redirect(node: string, port?: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startFleetOf20(
  version: KubernetesVersion,
  users: readonly string[],
): Promise<FleetOf20> {
  const fleet = fleetScenario(nodeNames);
  const log: string[] = [];
  const cluster = await startCluster({ version, users });
  const agents = new Map<string, RunningAgent>();
  const stop = async () => {
    await Promise.all([...agents.values()].map((agent) => agent.stop()));
    await cluster.stop();
  };
  try {
    for (const node of nodeNames) {
      const agent = compiled.has(node)
        ? compiledAgent(fleet.scenario, node, node === liar ? { nodeName: 'node-1' } : {})
        : simulatedAgent(fleet.scenario, node, (line) => log.push(line));
      agents.set(node, await agent);
    }
    const daemonSet = await populate(cluster, agents);
    const podOf = (node: string) => `agent-${node}`;
    const redirect = (node: string, port = agents.get(node)?.port ?? 0) =>
      cluster.forward({ name: podOf(node), namespace, target: { address: '127.0.0.1', port } });
    return { ...fleet, cluster, daemonSet, agents, log, podOf, redirect, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A GPU node for each agent with a pod of one DaemonSet on it, a node without GPUs, and the roles of README for `viewer`. */
export async function populate(cluster: Cluster, agents: ReadonlyMap<string, { readonly port: number }>) {
  await cluster.addNamespace(namespace);
  await cluster.apply(...rolesFromReadme('viewer', namespace));
  const daemonSet = await cluster.addDaemonSet({ name: 'agent', namespace });
  await Promise.all(
    [...agents].map(async ([node, { port }]) => {
      await cluster.addNode({ name: node, capacity: { 'nvidia.com/gpu': 8 } });
      const target = { address: '127.0.0.1', port };
      await cluster.addAgentPod({ name: `agent-${node}`, node, namespace, daemonSet, target });
    }),
  );
  await cluster.addNode({ name: 'cpu-only' });
  await cluster.waitForPods([...agents.keys()].map((node) => `agent-${node}`));
  return daemonSet;
}
