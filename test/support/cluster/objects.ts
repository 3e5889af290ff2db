import type { KubeObject } from './api.ts';
import { kwokNodes } from './kwok.ts';

type Labels = Readonly<Record<string, string>>;

export interface NodeSpec {
  readonly name: string;
  readonly labels?: Labels;
  /** Added to what every node has, such as `{ 'nvidia.com/gpu': '8' }`; also its allocatable. */
  readonly capacity?: Readonly<Record<string, string | number>>;
}

export interface DaemonSetSpec {
  readonly name: string;
  readonly namespace: string;
  /** Of the DaemonSet itself, and what it selects pods by. */
  readonly labels?: Labels;
}

/** Where a pod's forwarded port ends: in a listener of the test. */
interface Target {
  readonly address: string;
  readonly port: number;
}

export interface AgentPodSpec {
  readonly name: string;
  readonly node: string;
  readonly namespace: string;
  /** Its controller; none for a bare pod. */
  readonly daemonSet?: { readonly name: string; readonly uid: string };
  /** Absent: nothing is forwarded, and a port-forward to the pod fails as to a port without a listener. */
  readonly target?: Target;
  readonly labels?: Labels;
  /** 8080 unless told; named `mcp`. */
  readonly containerPort?: number;
}

/** What a pod of the chart looks like to discovery. */
const agentLabels: Labels = { 'k8s-gpu-mcp/agent': 'true', 'k8s-gpu-mcp/mode': 'http' };

const defaultPort = 8080;

export function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function node({ name, labels, capacity }: NodeSpec): KubeObject {
  const resources = { cpu: '64', memory: '512Gi', pods: '110', ...capacity };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...kwokNodes, ...labels } },
    status: { capacity: resources, allocatable: resources },
  };
}

export function daemonSet({ name, namespace, labels = agentLabels }: DaemonSetSpec): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container(defaultPort)] } },
    },
  };
}

export function agentPod(spec: AgentPodSpec): KubeObject {
  const { name, node, namespace, daemonSet, labels = agentLabels, containerPort = defaultPort } = spec;
  const owner = daemonSet && { apiVersion: 'apps/v1', kind: 'DaemonSet', controller: true, ...daemonSet };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, ownerReferences: owner ? [owner] : [] },
    spec: { nodeName: node, containers: [container(containerPort)] },
  };
}

/** Tells kwok where the pod of that name ends; the pod need not exist. */
export function portForward({
  name,
  namespace,
  target,
  containerPort = defaultPort,
}: ForwardSpec): KubeObject {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'PortForward',
    metadata: { name, namespace },
    spec: { forwards: [{ ports: [containerPort], target }] },
  };
}

/** `name` is the pod's. */
export interface ForwardSpec {
  readonly name: string;
  readonly namespace: string;
  readonly target: Target;
  readonly containerPort?: number;
}

function container(containerPort: number): object {
  return { name: 'agent', image: 'agent:test', ports: [{ name: 'mcp', containerPort, protocol: 'TCP' }] };
}
