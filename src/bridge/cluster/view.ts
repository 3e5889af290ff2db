/** One node's agent: the pod that answers for it. */
export interface Agent {
  /** From the Kubernetes API, never from what the agent says of itself. */
  readonly node: string;
  readonly namespace: string;
  readonly pod: string;
  /**
   * Of the pod and of its container's start: a pod that was replaced under the same name is another agent, and so is one
   * that was restarted. One whose readiness comes and goes is the same.
   */
  readonly life: string;
  readonly ready: boolean;
  /** `stdio`: it listens nowhere, and is asked by running it anew. */
  readonly mode: 'http' | 'stdio';
  readonly port: number;
  readonly podIp: string | null;
  /** It listens on the pod's address too; else on its loopback only, as far as its labels say. */
  readonly exposed: boolean;
  /** What its certificate must name, where it listens on the pod's address with TLS. */
  readonly tlsServerName: string | null;
  /** It listens there without TLS on purpose, as whoever installed it says. */
  readonly plaintext: boolean;
}

/** The cluster as far as GPUs go. Every GPU node is in `agents` or in `withoutAgent`. */
export interface View {
  /** At most one per node, sorted by node. */
  readonly agents: readonly Agent[];
  /** Nodes with GPUs, or with a pod of the agent, where no agent runs; sorted by node. */
  readonly withoutAgent: readonly { readonly node: string; readonly why: string }[];
  /** `agents` and `withoutAgent` together; null where nodes may not be listed, since then there may be more. */
  readonly nodesTotal: number | null;
  /** What else a reader must know, one sentence each. */
  readonly notes: readonly string[];
}
