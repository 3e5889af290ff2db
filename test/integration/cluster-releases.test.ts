import { describe, expect, test } from 'vitest';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import { agentPod, daemonSet, gpuNode, type KubeObject, ourLabel } from '../support/kube-api/objects.ts';

/** What `helm install` leaves behind, as far as discovery goes: labels as the API server sorts them. */
function release(
  name: string,
  { namespace = 'gpu-mcp', chart = '0.1.0', app = 'k8s-gpu-mcp', nodes = ['gpu-1', 'gpu-2'] } = {},
): KubeObject[] {
  const labels = {
    'app.kubernetes.io/component': `agent-${chart}`,
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/managed-by': 'Helm',
    'app.kubernetes.io/name': app,
    'helm.sh/chart': `k8s-gpu-mcp-${chart}`,
    'k8s-gpu-mcp/mode': 'http',
    ...ourLabel,
  };
  const owner = `${name}-${app}`;
  return [
    daemonSet(owner, { namespace, labels, desired: nodes.length }),
    ...nodes.map((node) => agentPod(node, { namespace, daemonSet: owner, name: `${owner}-${node}`, labels })),
  ];
}

const nodes = [gpuNode('gpu-1'), gpuNode('gpu-2')];

describe('a release is known by the labels of its agents alone', () => {
  test.for([
    ['of another name', release('my-gpus')],
    ['with a nameOverride', release('prod', { app: 'watcher' })],
    ['in a namespace of its own', release('gpu', { namespace: 'platform-monitoring' })],
  ] as const)('%s', async ([, objects]) => {
    const api = await kubeApi({ objects: [...nodes, ...objects] });

    const { agents, withoutAgent } = await clientOf(api).view(soon());

    expect(agents.map(({ node }) => node)).toEqual(['gpu-1', 'gpu-2']);
    expect(withoutAgent).toEqual([]);
  });
});

describe('two releases', () => {
  const both = [...release('blue'), ...release('green', { chart: '0.2.0' })];

  test('in one namespace are told apart by the name that Helm gave each, and the line that is printed chooses one', async () => {
    const api = await kubeApi({ objects: [...nodes, ...both] });

    const refused = clientOf(api).view(soon());
    await expect(refused).rejects.toMatchObject({
      code: 'AGENTS_AMBIGUOUS',
      message: expect.stringMatching(
        /--selector app\.kubernetes\.io\/instance=blue \(.*\) or --selector app\.kubernetes\.io\/instance=green \(/,
      ),
    });
    const chosen = await clientOf(api, { selector: 'app.kubernetes.io/instance=green' }).view(soon());

    expect(chosen.agents.map(({ pod }) => pod)).toEqual([
      'green-k8s-gpu-mcp-gpu-1',
      'green-k8s-gpu-mcp-gpu-2',
    ]);
    expect(chosen).toMatchObject({ withoutAgent: [], nodesTotal: 2 });
  });

  test('in two namespaces are told apart by these', async () => {
    const objects = [...nodes, ...release('blue'), ...release('blue', { namespace: 'test' })];
    const api = await kubeApi({ objects });

    await expect(clientOf(api).view(soon())).rejects.toMatchObject({
      message: expect.stringMatching(/--namespace gpu-mcp \(.*\) or --namespace test \(/),
    });
    const chosen = await clientOf(api, { namespace: 'test' }).view(soon());

    expect(chosen.agents.map(({ namespace }) => namespace)).toEqual(['test', 'test']);
  });

  test('with nodes of their own are one fleet', async () => {
    const objects = [
      ...nodes,
      ...release('blue', { nodes: ['gpu-1'] }),
      ...release('green', { nodes: ['gpu-2'] }),
    ];
    const api = await kubeApi({ objects });

    expect((await clientOf(api).view(soon())).agents).toHaveLength(2);
  });
});
