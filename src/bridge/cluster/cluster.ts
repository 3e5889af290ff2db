import type { Duplex } from 'node:stream';
import type { Session, SessionOptions } from './session.ts';
import type { Agent, View } from './view.ts';

export type { Agent, View } from './view.ts';

/** A Kubernetes cluster: where the agents are, and the roads to each. */
export interface Cluster {
  /**
   * Which nodes have an agent, and which GPU nodes have none. Lists at first, is kept up by watches while in use
   * (until 10 min after the last call), and lists anew where a watch has ended.
   *
   * @throws Fault KUBECONFIG_NOT_FOUND, KUBECONFIG_INVALID, CONTEXT_NOT_FOUND, CREDENTIAL_PLUGIN_FAILED,
   *   CLUSTER_UNREACHABLE, CLUSTER_CERTIFICATE, CLUSTER_PLAIN_HTTP, CLUSTER_UNAUTHORIZED, CLUSTER_FORBIDDEN,
   *   NO_AGENTS, AGENTS_AMBIGUOUS; the signal's reason, unless that is a timeout: then what was being waited for
   */
  view(signal: AbortSignal): Promise<View>;
  /**
   * Opens one port-forward stream to the agent's port. What goes wrong later destroys the stream with a Fault. It
   * starts paused and does not keep the process alive by itself; like a net.Socket it has `ref` and `unref`.
   *
   * @throws Fault NODE_UNREACHABLE, NODE_TIMEOUT and those of `view` that are about reaching and logging in
   */
  dial(agent: Agent, signal: AbortSignal): Promise<Duplex>;
  /**
   * Asks by a program started for it in the agent's pod, which is then gone: one line of JSON-RPC in, one line out.
   * Calls `opened` as soon as there is a connection.
   *
   * @throws Fault NODE_UNREACHABLE, NODE_TIMEOUT, NODE_BAD_ANSWER and those of `view` that are about reaching and logging in
   */
  exec(agent: Agent, line: string, signal: AbortSignal, opened?: () => void): Promise<string>;
  /** Closes everything at once, open streams included; calls in progress reject. Nothing keeps the process alive. */
  close(): void;
}

/** Touches nothing before the first call; not even the Kubernetes client is loaded, since parsing it takes 0.1 s. */
export function openCluster(options: SessionOptions): Cluster {
  let session: Promise<Session> | null = null;
  let closed = false;

  async function open(): Promise<Session> {
    session ??= import('./session.ts').then(({ Session }) => new Session(options));
    const opened = await session;
    if (closed) opened.close();
    return opened;
  }

  return {
    view: async (signal) => (await open()).view(signal),
    dial: async (agent, signal) => (await open()).dial(agent, signal),
    exec: async (...asking) => (await open()).exec(...asking),
    close() {
      closed = true;
      void session?.then((opened) => opened.close());
    },
  };
}
