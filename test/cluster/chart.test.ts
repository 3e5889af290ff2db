import { beforeAll, describe, expect, test } from 'vitest';

import { lint, podOf, render, valuesFiles, valuesOf } from '../support/chart.ts';
import { ensureHelm, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();

const podResources = '/var/lib/kubelet/pod-resources';

/** What a values file changes in the pod, besides what all pods have in common. */
const pods: Record<
  string,
  { runtimeClass?: string; privileged?: true; nonRoot?: true; hostPaths?: string[] }
> = {
  default: { runtimeClass: 'nvidia' },
  'gpu-operator': { runtimeClass: 'nvidia' },
  'gpu-operator-nri': {},
  'eks-al2023': {},
  'eks-bottlerocket': { hostPaths: ['/dev/null'] },
  'gke-cos': { privileged: true, hostPaths: ['/home/kubernetes/bin/nvidia', '/dev'] },
  aks: {},
  openshift: { runtimeClass: 'nvidia' },
  talos: { runtimeClass: 'nvidia' },
  'k3s-rke2': { runtimeClass: 'nvidia' },
  kubeadm: { runtimeClass: 'nvidia' },
  'host-driver': { privileged: true, hostPaths: ['/', '/dev'] },
  dra: {},
  restricted: { runtimeClass: 'nvidia', nonRoot: true },
  stdio: { runtimeClass: 'nvidia', nonRoot: true },
  exposed: { runtimeClass: 'nvidia' },
  monitoring: { runtimeClass: 'nvidia', hostPaths: [podResources] },
};

describe.skipIf(skipped)(`the chart ${skipped ?? ''}`, () => {
  beforeAll(ensureHelm);

  test('every values file is expected here', () => {
    expect(Object.keys(pods).sort()).toEqual(valuesFiles.sort());
  });

  test.for(valuesFiles)('%s: passes lint and is one object for each template', async (name) => {
    expect(await lint(...valuesOf(name))).toContain('0 chart(s) failed');

    const objects = await render(...valuesOf(name));

    const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(objects.length);
    expect(names).toContain('DaemonSet/k8s-gpu-mcp');
    for (const { metadata } of objects) expect(metadata).toMatchObject({ labels: ourLabels });
  });

  test.for(valuesFiles)('%s: the pod has no more than it needs', async (name) => {
    const { runtimeClass, privileged, nonRoot, hostPaths = [] } = pods[name] ?? {};

    const { spec } = podOf(await render(...valuesOf(name)));

    const { securityContext, resources } = spec.containers[0];
    expect(spec.runtimeClassName).toBe(runtimeClass);
    expect(spec.volumes?.flatMap(({ hostPath }) => hostPath?.path ?? []) ?? []).toEqual(hostPaths);
    expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(spec).toMatchObject({ terminationGracePeriodSeconds: 45, tolerations: [{ operator: 'Exists' }] });
    expect(spec).toMatchObject({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } });
    expect(Object.keys(spec).filter((key) => /^host/.test(key))).toEqual([]);
    expect(resources).toEqual({
      requests: { cpu: '10m', memory: expect.any(String) },
      limits: { memory: expect.any(String) }, // no CPU limit, and no GPU
      ...(name === 'dra' && { claims: [{ name: 'gpus' }] }),
    });
    expect(securityContext).toEqual(
      privileged ? privilegedContext : nonRoot ? nonRootContext : { ...rootContext, ...withSyslog },
    );
  });

  test.for(valuesFiles)('%s: probes, or none where no agent listens', async (name) => {
    const { spec } = podOf(await render(...valuesOf(name)));
    const { livenessProbe, readinessProbe, ports, args } = spec.containers[0];

    if (name === 'stdio') {
      expect({ livenessProbe, readinessProbe, ports, args }).toEqual({ args: ['--idle'] });
      return;
    }
    expect({ livenessProbe, readinessProbe, ports, args }).toEqual({
      livenessProbe: probe('/healthz', { initialDelaySeconds: 10, periodSeconds: 10, failureThreshold: 3 }),
      readinessProbe: probe('/readyz', { initialDelaySeconds: 5, periodSeconds: 5, failureThreshold: 2 }),
      ports: [
        { name: 'mcp', containerPort: 8080 },
        { name: 'health', containerPort: 8081 },
      ],
    });
  });

  test('the agent is told by variables, so that one started by kubectl exec is told too', async () => {
    expect(await variables('default')).toEqual({
      NODE_NAME: 'spec.nodeName',
      K8S_GPU_MCP_LOG_LEVEL: 'info',
      K8S_GPU_MCP_SAMPLE_INTERVAL: '10s',
      K8S_GPU_MCP_KERNEL_LOG: 'true',
      NVIDIA_VISIBLE_DEVICES: 'all',
      NVIDIA_DRIVER_CAPABILITIES: 'utility',
      K8S_GPU_MCP_PORT: '8080',
      K8S_GPU_MCP_HEALTH_PORT: '8081',
      K8S_GPU_MCP_HEALTH_ADDR: 'status.podIP',
    });
    expect(Object.keys(await variables('stdio')).filter((name) => /PORT|ADDR|KERNEL/.test(name))).toEqual([]);
    expect(await variables('monitoring')).toMatchObject({
      K8S_GPU_MCP_METRICS_GPU: 'true',
      K8S_GPU_MCP_POD_RESOURCES_SOCKET: `${podResources}/kubelet.sock`,
    });
    expect(await variables('gke-cos')).toMatchObject({
      K8S_GPU_MCP_NVML_LIBRARY: '/run/nvidia/driver/lib64/libnvidia-ml.so.1',
      NVIDIA_VISIBLE_DEVICES: 'void',
    });
    expect(await variables('exposed')).toMatchObject({
      K8S_GPU_MCP_EXPOSE_ADDR: 'status.podIP',
      K8S_GPU_MCP_TOKEN_FILE: '/etc/k8s-gpu-mcp/token/token',
      K8S_GPU_MCP_TLS_CERT_FILE: '/etc/k8s-gpu-mcp/tls/tls.crt',
      K8S_GPU_MCP_TLS_KEY_FILE: '/etc/k8s-gpu-mcp/tls/tls.key',
    });
  });

  test('by default nothing is open: no Service, no Secret, no PodMonitor', async () => {
    const kinds = (await render()).map(({ kind }) => kind).sort();

    expect(kinds).toEqual(['ClusterRole', 'DaemonSet', 'Role', 'ServiceAccount']);
  });

  test('the door is port-forward, and exec only where the pods are asked by exec', async () => {
    expect(await doorOf('default')).toEqual([{ resources: ['pods/portforward'], verbs: ['get', 'create'] }]);
    expect(await doorOf('stdio')).toEqual([
      { resources: ['pods/portforward'], verbs: ['get', 'create'] }, // for pods that are not replaced yet
      { resources: ['pods/exec'], verbs: ['get', 'create'] },
    ]);
  });

  test('the bridge finds the agents, and checks the certificate, whatever the release is called', async () => {
    const set = ['--set', 'nameOverride=other,fullnameOverride=very-own'];

    const { metadata } = podOf(await render(...valuesOf('exposed'), ...set));

    expect(metadata).toMatchObject({
      labels: { 'k8s-gpu-mcp/agent': 'true', 'k8s-gpu-mcp/mode': 'http', 'k8s-gpu-mcp/exposed': 'true' },
      annotations: { 'k8s-gpu-mcp/tls-server-name': 'very-own.gpu-mcp.svc' },
    });
  });

  async function variables(name: string): Promise<Record<string, string>> {
    const { spec } = podOf(await render(...valuesOf(name)));
    const named = spec.containers[0].env as { name: string; value?: string; valueFrom?: FromField }[];
    return Object.fromEntries(
      named.map((each) => [each.name, each.value ?? each.valueFrom?.fieldRef.fieldPath ?? '']),
    );
  }

  async function doorOf(name: string): Promise<unknown> {
    const role = (await render(...valuesOf(name))).find(({ kind }) => kind === 'Role') as unknown as {
      rules: { apiGroups: string[] }[];
    };
    return role.rules.map(({ apiGroups: _, ...rule }) => rule);
  }
});

interface FromField {
  readonly fieldRef: { readonly fieldPath: string };
}

const ourLabels = { 'app.kubernetes.io/instance': 'k8s-gpu-mcp', 'app.kubernetes.io/managed-by': 'Helm' };
const rootContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsUser: 0,
  runAsGroup: 0,
};
const withSyslog = { capabilities: { drop: ['ALL'], add: ['SYSLOG'] } };
/** Without a user: the image names one, and OpenShift's restricted-v2 takes only one of the namespace's own. */
const nonRootContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
};
const privilegedContext = { privileged: true, readOnlyRootFilesystem: true, runAsUser: 0, runAsGroup: 0 };

function probe(path: string, timing: object): object {
  return { httpGet: { path, port: 'health' }, ...timing };
}
