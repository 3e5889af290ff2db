import { setTimeout as sleep } from 'node:timers/promises';
import { type Administrator, administrator } from './administrator.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import {
  type AgentPodSpec,
  agentPod,
  type DaemonSetSpec,
  daemonSet,
  type ForwardSpec,
  type NodeSpec,
  namespace,
  node,
  portForward,
} from './objects.ts';
import { ensurePrograms, type KubernetesVersion } from './programs.ts';

/**
 * A real etcd, a real kube-apiserver and kwok, on loopback. Nodes and pods are played by kwok; discovery, watch,
 * RBAC, tokens and port-forward are real, and a port-forward ends in whatever listens on the pod's target.
 *
 * There is no controller-manager and no scheduler: nothing creates pods but `addAgentPod`, nothing collects what
 * is orphaned, and a deleted namespace stays terminating.
 */
export interface Cluster extends Administrator {
  /** Of the API server, such as `https://127.0.0.1:21234`. */
  readonly server: string;
  readonly caPath: string;
  /** A program, not a call: for what needs the real kubectl as another user. */
  readonly kubectlPath: string;
  /** Of `admin` (system:masters) or a test user, who may do nothing until bound to a role. */
  token(user: string): string;
  /** Path of a kubeconfig for that user; its context names a namespace only where one is given. */
  kubeconfig(user: string, namespace?: string): string;

  addNamespace(name: string): Promise<void>;
  /** Ready within a second or so. */
  addNode(spec: NodeSpec): Promise<void>;
  /** Resolves to what `addAgentPod` takes as `daemonSet`. */
  addDaemonSet(spec: DaemonSetSpec): Promise<{ name: string; uid: string }>;
  /** May be called for hundreds of pods at once; `waitForPods` says when they are Ready. */
  addAgentPod(spec: AgentPodSpec): Promise<void>;
  /** Lets the port of a pod, existing or to come, end elsewhere. Open streams stay where they are. */
  forward(spec: ForwardSpec): Promise<void>;
  /** Removes a pod at once, with its forward. */
  removeAgentPod(pod: { name: string; namespace: string }): Promise<void>;
  /** Resolves when pods of these names, in whatever namespace, are Ready and can be reached. */
  waitForPods(names: readonly string[], limitMs?: number): Promise<void>;

  /** As a crash: every connection through it breaks at once. */
  stopApiServer(): Promise<void>;
  /**
   * The same server again: port, certificate, tokens and data are kept. Existing pods can be reached as soon as it
   * resolves. New ones come seconds later, as kwok reconnects with pauses; `waitForPods` and `forward` wait for it.
   */
  startApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  /** Ends every process and removes every file; calling it twice is fine. */
  stop(): Promise<void>;
}

const testUsers = ['viewer', 'stranger', 'namespaced'];

/**
 * Resolves in some seconds, once the programs are built (`ensurePrograms`, minutes).
 * @param users besides `admin`, `viewer`, `stranger` and `namespaced`: users are fixed at the start
 */
export async function startCluster(options: {
  version: KubernetesVersion;
  users?: readonly string[];
}): Promise<Cluster> {
  const programs = await ensurePrograms(options.version);
  const plane = await startControlPlane(programs, [...testUsers, ...(options.users ?? [])]);
  const { server, credentials, api } = plane;

  return {
    server,
    caPath: credentials.caPath,
    kubectlPath: programs.kubectl,
    token: credentials.token,
    kubeconfig: (user, namespace) => credentials.kubeconfig(user, server, namespace),
    ...administrator({ ...plane, kubectlPath: programs.kubectl }),
    ...fleet(plane),

    stopApiServer: plane.stopApiServer,
    startApiServer: plane.startApiServer,
    async restartApiServer() {
      await plane.stopApiServer();
      await plane.startApiServer();
    },
    async stop() {
      api.disconnect();
      await plane.stop();
    },
  };
}

type Fleet = Pick<
  Cluster,
  'addNamespace' | 'addNode' | 'addDaemonSet' | 'addAgentPod' | 'forward' | 'removeAgentPod' | 'waitForPods'
>;

function fleet({ api, forwardsSeen }: ControlPlane): Fleet {
  return {
    async addNamespace(name) {
      await api.apply(namespace(name));
    },
    async addNode(spec) {
      await api.apply(node(spec));
    },
    async addDaemonSet(spec) {
      const { metadata } = await api.apply(daemonSet(spec));
      return { name: metadata.name, uid: metadata.uid ?? '' };
    },
    async addAgentPod({ target, ...spec }) {
      if (target) await api.apply(portForward({ ...spec, target }));
      await api.apply(agentPod(spec));
    },
    async forward(spec) {
      await api.apply(portForward(spec));
      await forwardsSeen();
    },
    async removeAgentPod({ name, namespace }) {
      await api.remove({ apiVersion: 'v1', kind: 'Pod', name, namespace });
      await api.remove({ apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'PortForward', name, namespace });
    },
    async waitForPods(names, limitMs = 60_000) {
      const giveUpAt = Date.now() + limitMs;
      for (;;) {
        const { items } = (await api.get('/api/v1/pods')) as { items: Pod[] };
        const ready = new Set(items.filter(isReady).map((pod) => pod.metadata.name));
        const waiting = names.filter((name) => !ready.has(name));
        if (waiting.length === 0) return forwardsSeen();
        if (Date.now() > giveUpAt) throw new Error(`not Ready after ${limitMs} ms: ${waiting.join(', ')}`);
        await sleep(100);
      }
    },
  };
}

interface Pod {
  metadata: { name: string; deletionTimestamp?: string };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

function isReady({ metadata, status }: Pod): boolean {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  return status?.phase === 'Running' && condition?.status === 'True' && !metadata.deletionTimestamp;
}
