import {
  exposedLabel,
  type Identity,
  identify,
  modeLabel,
  plaintextAnnotation,
  type RawMetadata,
  tlsServerNameAnnotation,
} from './metadata.ts';
import { matchesTerm, type NodeAffinity } from './placement.ts';
import { type RawPodStatus, type Trouble, troubleIn } from './pod-trouble.ts';

export const agentContainer = 'agent';
const agentPortName = 'mcp';
const defaultAgentPort = 8080;

/** A pod that carries our label. Only this much of it is kept, so that a large cluster does not fill the memory. */
export interface Pod extends Identity {
  /** RFC 3339 in UTC, so that it sorts as text. */
  readonly createdAt: string;
  readonly terminating: boolean;
  /** The DaemonSet that controls it, as the pod says; null if none does. */
  readonly daemonSet: { readonly name: string; readonly uid: string } | null;
  /** Where it runs, or is meant to run: a DaemonSet's pod names its node before it is scheduled. */
  readonly node: string | null;
  readonly port: number;
  readonly podIp: string | null;
  readonly mode: 'http' | 'stdio';
  /** Its agent listens on the pod's address too, and not on loopback alone. */
  readonly exposed: boolean;
  /** The name in the agent's certificate, where it listens on the pod's address with TLS; else null. */
  readonly tlsServerName: string | null;
  /** Its agent listens on the pod's address without TLS, on purpose. */
  readonly plaintext: boolean;
  readonly ready: boolean;
  /** How often its container was started anew. */
  readonly restarts: number;
  /** Null while its agent runs, ready or not. */
  readonly trouble: Trouble | null;
}

/** A pod as the API server sends it, as far as we look. */
export interface RawPod {
  readonly metadata?: RawMetadata;
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly {
      readonly name?: string;
      readonly ports?: readonly { readonly name?: string; readonly containerPort?: number }[];
    }[];
    readonly affinity?: { readonly nodeAffinity?: NodeAffinity };
  };
  readonly status?: RawPodStatus;
}

export function readPod({ metadata = {}, spec = {}, status = {} }: RawPod): Pod {
  const identity = identify(metadata);
  const terminating = metadata.deletionTimestamp !== undefined;
  return {
    ...identity,
    createdAt: metadata.creationTimestamp ?? '',
    terminating,
    daemonSet: controllingDaemonSet(metadata),
    node: spec.nodeName || intendedNode(spec.affinity?.nodeAffinity),
    port: agentPort(spec),
    podIp: status.podIP || null,
    mode: identity.labels[modeLabel] === 'stdio' ? 'stdio' : 'http',
    exposed: identity.labels[exposedLabel] === 'true',
    tlsServerName: metadata.annotations?.[tlsServerNameAnnotation] || null,
    plaintext: metadata.annotations?.[plaintextAnnotation] === 'true',
    ready: status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false,
    restarts: status.containerStatuses?.find(({ name }) => name === agentContainer)?.restartCount ?? 0,
    trouble: terminating
      ? { what: 'is terminating: it is being replaced or uninstalled', explained: true }
      : troubleIn(status, agentContainer, spec.nodeName),
  };
}

function controllingDaemonSet({ ownerReferences = [] }: RawMetadata): Pod['daemonSet'] {
  const controller = ownerReferences.find((owner) => owner.controller === true);
  if (controller?.kind !== 'DaemonSet' || !controller.apiVersion?.startsWith('apps/')) return null;
  return { name: controller.name ?? '', uid: controller.uid ?? '' };
}

function agentPort({ containers = [] }: NonNullable<RawPod['spec']>): number {
  const ports = containers.find(({ name }) => name === agentContainer)?.ports ?? [];
  return ports.find(({ name }) => name === agentPortName)?.containerPort ?? defaultAgentPort;
}

/** The DaemonSet controller pins each pod to its node by a field of that node, not by a label. */
function intendedNode(affinity: NodeAffinity | undefined): string | null {
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const pin = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    const name = pin?.values?.[0];
    if (name !== undefined && matchesTerm({ matchFields }, { name, labels: {} })) return name;
  }
  return null;
}
