/** Kubernetes objects as the API server sends them, with only what a test is about. */

export interface KubeObject {
  kind: string;
  metadata: { name: string; namespace?: string; uid: string; [field: string]: unknown };
  spec?: object;
  [field: string]: unknown;
}

export const ourLabel = { 'k8s-gpu-mcp/agent': 'true' };

export function gpuNode(
  name: string,
  { labels = {}, ...rest }: { labels?: Record<string, string>; taints?: object[]; capacity?: object } = {},
): KubeObject {
  return {
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints: rest.taints ?? [] },
    status: { capacity: rest.capacity ?? { cpu: '8', 'nvidia.com/gpu': '4' } },
  };
}

export function cpuNode(name: string): KubeObject {
  return gpuNode(name, { capacity: { cpu: '8' } });
}

export function daemonSet(
  name: string,
  {
    namespace = 'gpu-mcp',
    labels = ourLabel,
    desired = 0,
    current = desired,
    pod = {},
  }: {
    namespace?: string;
    labels?: Record<string, string>;
    desired?: number;
    current?: number;
    pod?: object;
  } = {},
): KubeObject {
  return {
    kind: 'DaemonSet',
    metadata: { name, namespace, uid: `ds-${namespace}-${name}`, labels },
    spec: { template: { spec: pod } },
    status: { desiredNumberScheduled: desired, currentNumberScheduled: current },
  };
}

interface PodOptions {
  name?: string;
  namespace?: string;
  daemonSet?: string;
  /** Replaces the reference to the DaemonSet. */
  owner?: object | null;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  createdAt?: string;
  terminating?: boolean;
  port?: number;
  status?: object;
}

/** A running agent pod of `daemonSet` on `node`, unless told otherwise. */
export function agentPod(node: string | null, options: PodOptions = {}): KubeObject {
  const { namespace = 'gpu-mcp', daemonSet: owner = 'agent', name = `${owner}-${node}` } = options;
  const reference = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    name: owner,
    uid: `ds-${namespace}-${owner}`,
    controller: true,
  };
  return {
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `pod-${namespace}-${name}`,
      labels: { ...ourLabel, ...options.labels },
      ...(options.annotations && { annotations: options.annotations }),
      creationTimestamp: options.createdAt ?? '2026-11-01T00:00:00Z',
      ...(options.terminating ? { deletionTimestamp: '2026-11-01T01:00:00Z' } : {}),
      ownerReferences: options.owner === null ? [] : [options.owner ?? reference],
    },
    spec: {
      ...(node === null ? {} : { nodeName: node }),
      containers: [{ name: 'agent', ports: [{ name: 'mcp', containerPort: options.port ?? 8080 }] }],
    },
    status: options.status ?? {
      phase: 'Running',
      podIP: '10.0.0.7',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'agent', ready: true, state: { running: {} } }],
    },
  };
}

export function warning(
  about: KubeObject,
  reason: string,
  message: string,
  at = '2026-11-01T00:10:00Z',
): KubeObject {
  const { name, namespace = '', uid } = about.metadata;
  return {
    kind: 'Event',
    metadata: { name: `${name}.${reason}.${at}`, namespace, uid: `event-${name}-${reason}-${at}` },
    type: 'Warning',
    involvedObject: { kind: about.kind, name, namespace, uid },
    reason,
    message,
    lastTimestamp: at,
  };
}
