import type { KubeObject } from './api.ts';

/** kwok plays the kubelet of the nodes that carry this label. */
export const kwokNodes = { type: 'kwok' };

/**
 * Pods that carry this label are left alone, as by a kubelet that hangs: a new one stays Pending, a deleted one
 * stays terminating, and a status that a test writes is not touched.
 */
export const frozen = { 'k8s-gpu-mcp-test/kubelet': 'frozen' };

const notFrozen = { key: '.metadata.labels["k8s-gpu-mcp-test/kubelet"]', operator: 'DoesNotExist' };

const becomesReady = stage('pod-ready', {
  when: [
    notFrozen,
    { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' },
    { key: '.status.podIP', operator: 'DoesNotExist' },
  ],
  next: {
    statusTemplate: `
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
conditions:
- { type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }} }
- { type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }} }
- { type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }} }
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: { running: { startedAt: {{ $now | Quote }} } }
{{ end }}
`,
  },
});

const goesAway = stage('pod-delete', {
  when: [notFrozen, { key: '.metadata.deletionTimestamp', operator: 'Exists' }],
  next: { finalizers: { empty: true }, delete: true },
});

/** kwok's configuration file. It names no stage for nodes: kwok's own ones make a node Ready and keep it so. */
export const stages = [becomesReady, goesAway].map((each) => JSON.stringify(each)).join('\n---\n');

/**
 * Lets port-forwards and execs be objects of the cluster, which kwok watches, so that they come and go while it runs. The
 * alternative, kwok's configuration file, is read once. Same names as kwok's own definitions, without their schema.
 */
export const definitions: readonly KubeObject[] = ['PortForward', 'Exec'].map((kind) => {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.kwok.x-k8s.io` },
    spec: {
      group: 'kwok.x-k8s.io',
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };
});

/** kwok's command line; it listens as the kubelet of all its nodes on `port`. */
export function kwokArgs(of: {
  kubeconfig: string;
  config: string;
  port: number;
  cert: string;
  key: string;
}): string[] {
  return [
    `--kubeconfig=${of.kubeconfig}`,
    `--config=${of.config}`,
    `--manage-nodes-with-label-selector=type=${kwokNodes.type}`,
    '--enable-crds=PortForward,Exec',
    '--node-ip=127.0.0.1',
    `--node-port=${of.port}`,
    `--server-address=127.0.0.1:${of.port}`, // its default is all interfaces
    `--tls-cert-file=${of.cert}`,
    `--tls-private-key-file=${of.key}`,
    '--cidr=10.0.0.0/16',
    '--node-lease-duration-seconds=0', // nobody looks at leases here, and 100 nodes would write ten a second
  ];
}

function stage(name: string, { when, next }: { when: object[]; next: object }): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: { resourceRef: { apiGroup: 'v1', kind: 'Pod' }, selector: { matchExpressions: when }, next },
  };
}
