import { withoutUnfilled } from '../core/command-line.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { type Agent, type Cluster, openCluster } from './cluster/cluster.ts';
import type { Config, NamedUrl } from './config.ts';
import { createFleet, type Fleet, type Roster } from './fleet/fleet.ts';
import type { Member } from './fleet/node.ts';

/** The machine the bridge runs on, as far as logging in to a cluster needs it. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
}

/** The fleet that the flags mean: named URLs, or the agents of a cluster. Touches neither yet. */
export function openFleet(config: Config, machine: Machine, log: Log): Fleet {
  const { limits, token, nodes, context, namespace, selector, transport } = config;
  if (nodes.length > 0) return createFleet({ roster: async () => named(nodes), token, limits, log });
  const cluster = openCluster({
    ...machine,
    env: withoutUnfilled(machine.env),
    log,
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
    ...(selector !== undefined && { selector }),
  });
  const member = memberOf(cluster, transport);
  const fleet = createFleet({
    roster: async (signal) => {
      const { agents, withoutAgent, nodesTotal, notes } = await cluster.view(signal);
      return { members: agents.map(member), withoutAgent, complete: nodesTotal !== null, notes };
    },
    token,
    limits,
    log,
  });
  return {
    ask: (question) => fleet.ask(question),
    close() {
      fleet.close();
      cluster.close();
    },
  };
}

function named(nodes: readonly NamedUrl[]): Roster {
  const members = nodes.map(({ name, url }) => ({
    name,
    key: `${name} ${url}`,
    origin: url,
    dial: undefined,
  }));
  return { members, withoutAgent: [], complete: true, notes: [] };
}

/** An agent in stdio mode listens nowhere, whatever was chosen: a fleet is mixed in the middle of a rollout. */
export function memberOf(cluster: Cluster, transport: Config['transport']): (agent: Agent) => Member {
  return (agent) => {
    if (transport === 'exec' || agent.mode === 'stdio') return executed(cluster, agent);
    return transport === 'direct' ? direct(agent) : forwarded(cluster, agent);
  };
}

function forwarded(cluster: Cluster, agent: Agent): Member {
  return {
    name: agent.node,
    key: agent.life,
    ready: agent.ready,
    origin: new URL(`http://localhost:${agent.port}`), // what the agent's Host check expects on its loopback
    dial: (signal) => cluster.dial(agent, signal),
  };
}

function executed(cluster: Cluster, agent: Agent): Member {
  return {
    name: agent.node,
    key: `${agent.life} exec`,
    ready: agent.ready,
    origin: new URL('http://localhost'),
    dial: undefined,
    exec: (line, signal, opened) => cluster.exec(agent, line, signal, opened),
  };
}

function direct({ node, life, ready, podIp, port, pod, exposed, tlsServerName }: Agent): Member {
  if (podIp === null)
    return { name: node, key: life, ready, origin: new URL('http://localhost'), dial: noAddress(pod) };
  const host = podIp.includes(':') ? `[${podIp}]` : podIp;
  const scheme = tlsServerName === null ? 'http' : 'https';
  const origin = new URL(`${scheme}://${host}:${port}`);
  return {
    name: node,
    key: [life, origin, tlsServerName, exposed].join(' '), // all that its stream is opened by
    ready,
    origin,
    dial: undefined,
    serverName: tlsServerName ?? undefined,
    loopbackOnly: !exposed,
  };
}

/** It fails as a node does, when it is asked: the others are asked all the same. */
function noAddress(pod: string): Member['dial'] {
  return async () => {
    throw new Fault(`pod ${pod} has no address yet`, { code: 'NODE_UNREACHABLE' });
  };
}
