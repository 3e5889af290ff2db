import { withoutUnfilled } from '../core/command-line.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { type Agent, type Cluster, openCluster } from './cluster/cluster.ts';
import { fullName, plaintextAnnotation, tlsServerNameAnnotation } from './cluster/metadata.ts';
import type { Config, NamedUrl } from './config.ts';
import { createFleet, type Fleet, type Roster } from './fleet/fleet.ts';
import type { Member } from './fleet/member.ts';

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
  const member = memberOf(cluster, { transport, token });
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
export function memberOf(
  cluster: Cluster,
  { transport, token }: Pick<Config, 'transport' | 'token'>,
): (agent: Agent) => Member {
  return (agent) => {
    if (transport === 'exec' || agent.mode === 'stdio') return executed(cluster, agent);
    return transport === 'direct' ? direct(agent, token !== undefined) : forwarded(cluster, agent);
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

function direct(agent: Agent, withToken: boolean): Member {
  const { node, life, ready, podIp, port, exposed, tlsServerName, plaintext } = agent;
  const host = podIp?.includes(':') ? `[${podIp}]` : podIp;
  const scheme = tlsServerName === null ? 'http' : 'https';
  const origin = new URL(`${scheme}://${host ?? 'localhost'}:${port}`);
  return {
    name: node,
    key: [life, podIp, origin, tlsServerName, exposed, plaintext].join(' '), // all that its stream is opened by
    ready,
    origin,
    dial: unless(whyNotDialled(agent, withToken)),
    serverName: tlsServerName ?? undefined,
    loopbackOnly: !exposed,
  };
}

/** A token in plain HTTP can be read on the way: it goes only where somebody said that this is meant. */
function whyNotDialled(agent: Agent, withToken: boolean): Fault | undefined {
  const { namespace, pod, podIp, tlsServerName, plaintext } = agent;
  if (podIp === null) return new Fault(`pod ${pod} has no address yet`, { code: 'NODE_UNREACHABLE' });
  if (!withToken || tlsServerName !== null || plaintext) return undefined;
  return new Fault(
    `the token was not sent: pod ${fullName({ namespace, name: pod })} has neither the annotation ${tlsServerNameAnnotation}, and so no TLS, ` +
      `nor ${plaintextAnnotation}: "true", by which it would go without on purpose`,
    { code: 'AGENT_NOT_EXPOSED' },
  );
}

/** It fails as a node does, when it is asked: the others are asked all the same. */
function unless(fault: Fault | undefined): Member['dial'] {
  return fault && (() => Promise.reject(fault));
}
