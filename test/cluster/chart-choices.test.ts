import { beforeAll, describe, expect, test } from 'vitest';

import { type PodSpec, podOf, render, renderAs, valuesOf } from '../support/chart.ts';
import { ensureHelm, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();
const generated = ['--set', 'expose.existingSecret=,expose.generateSecret=true'];

describe.skipIf(skipped)(`what the values make of the chart ${skipped ?? ''}`, () => {
  beforeAll(ensureHelm);

  test('only a pod that is exposed without TLS says that a token may be sent to it so', async () => {
    const withoutTls = ['--set', 'expose.tls.secretName=,expose.insecurePlaintext=true'];
    const stdio = ['--set', 'agent.mode=stdio'];
    const annotations = async (...args: string[]) => podOf(await render(...args)).metadata['annotations'];

    expect(await annotations(...valuesOf('exposed'), ...withoutTls)).toEqual({
      'k8s-gpu-mcp/plaintext': 'true',
    });
    expect(await annotations(...valuesOf('exposed'))).not.toHaveProperty('k8s-gpu-mcp/plaintext');
    expect(await annotations(...valuesOf('exposed'), ...withoutTls, ...stdio)).toBeUndefined();
  });

  test('the mode stdio sets aside what needs a listener, but not the token, nor what guards pods not replaced yet', async () => {
    const all = [...valuesOf('exposed'), ...valuesOf('monitoring')];
    const kindsOf = async (mode: string) =>
      (await render(...all, ...generated, '--set', `agent.mode=${mode}`)).map(({ kind }) => kind);

    const http = await kindsOf('http');
    const stdio = await kindsOf('stdio');

    expect(http.filter((kind) => !stdio.includes(kind)).sort()).toEqual([
      'PodMonitor',
      'PrometheusRule',
      'Service',
    ]);
    const { metadata, spec } = podOf(await render(...all, ...valuesOf('stdio')));
    expect(metadata['labels']).not.toHaveProperty('k8s-gpu-mcp/exposed');
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['tmp']);
    expect(spec.containers[0].securityContext).toMatchObject({ runAsNonRoot: true });
  });

  test('in the PID namespace of the node the pod also asks the kubelet whose the processes are, and else not', async () => {
    const specOf = async (...args: string[]) => podOf(await render(...args)).spec;
    const volumesOf = ({ volumes }: PodSpec) => volumes?.map(({ name }) => name);

    const usual = await specOf();
    const inside = await specOf('--set', 'hostPID.enabled=true');

    expect([usual['hostPID'], inside['hostPID']]).toEqual([undefined, true]);
    expect([volumesOf(usual), volumesOf(inside)]).toEqual([['tmp'], ['tmp', 'pod-resources']]);
  });

  test('a history is kept as long as the pod, or in a folder of the node, for which the pod has to be root', async () => {
    const specOf = async (...args: string[]) =>
      podOf(await render(...args, '--set', 'kernelLog.enabled=false,history.enabled=true')).spec;

    const ofPod = await specOf();
    const ofNode = await specOf('--set', 'history.path=/var/lib/gpus');

    expect(ofPod.volumes).toContainEqual({ name: 'history', emptyDir: { sizeLimit: '32Mi' } });
    expect(ofPod.containers[0].securityContext).toMatchObject({ runAsNonRoot: true });
    expect(ofNode.volumes).toContainEqual({
      name: 'history',
      hostPath: { path: '/var/lib/gpus', type: 'DirectoryOrCreate' },
    });
    expect(ofNode.containers[0].securityContext).toMatchObject({ runAsUser: 0 });
    for (const { containers } of [ofPod, ofNode])
      expect(JSON.stringify(containers[0])).toContain(
        '{"name":"K8S_GPU_MCP_HISTORY_DIR","value":"/var/lib/k8s-gpu-mcp"}',
      );
  });

  test('who may act in the namespace only gets no ClusterRole: its rules are in the Role, as far as they go', async () => {
    const objects = await render(...valuesOf('exposed'), '--set', 'access.clusterRole=false');

    const role = objects.find(({ kind }) => kind === 'Role');
    const look = ['get', 'list', 'watch'];
    expect(objects.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([]);
    expect(role).toHaveProperty('rules', [
      { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
      { apiGroups: [''], resources: ['pods', 'events'], verbs: look },
      { apiGroups: ['apps'], resources: ['daemonsets'], verbs: look },
    ]);
  });

  test('no term of the node affinity takes a node that is paused by its label', async () => {
    const paused = { key: 'k8s-gpu-mcp/paused', operator: 'DoesNotExist' };
    const field = { key: 'metadata.name', operator: 'In', values: ['gpu-1'] };
    const label = { key: 'gpu', operator: 'Exists' };
    const own = [{ matchExpressions: [label] }, { matchFields: [field] }];

    expect(await nodeTerms(own)).toEqual([
      { matchExpressions: [label, paused] },
      { matchExpressions: [paused], matchFields: [field] },
    ]);
    expect(await nodeTerms([])).toEqual([{ matchExpressions: [paused] }]);
    for (const term of await nodeTerms())
      expect(term).toEqual({ matchExpressions: [expect.any(Object), paused] });
  });

  test('names that look like numbers stay names', async () => {
    const own = ['--namespace', '456', '--set-string', 'nameOverride=1e3,fullnameOverride=0x10'];
    const all = [...valuesOf('exposed'), ...valuesOf('monitoring'), ...valuesOf('dra'), ...own];

    const objects = await renderAs('123', ...all, ...generated);

    expect(objects.length).toBeGreaterThan(10);
    for (const { kind, metadata } of objects) {
      const { name, namespace, labels } = metadata;
      const wanted = kind.startsWith('Cluster') ? undefined : '456';
      expect({ kind, name, namespace }).toEqual({ kind, name: expect.any(String), namespace: wanted });
      expect(labels).toMatchObject({
        'app.kubernetes.io/name': '1e3',
        'app.kubernetes.io/instance': '123',
      });
    }
    expect(podOf(objects).spec).toMatchObject({ serviceAccountName: '0x10' });
  });

  async function nodeTerms(nodeAffinity?: object[]): Promise<object[]> {
    const set = nodeAffinity ? ['--set-json', `nodeAffinity=${JSON.stringify(nodeAffinity)}`] : [];
    const { spec } = podOf(await render(...set));
    const { nodeAffinity: rendered } = spec['affinity'] as { nodeAffinity: Record<string, Terms> };
    return rendered['requiredDuringSchedulingIgnoredDuringExecution']?.nodeSelectorTerms ?? [];
  }
});

interface Terms {
  readonly nodeSelectorTerms: object[];
}
