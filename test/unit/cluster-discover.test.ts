import { describe, expect, test } from 'vitest';
import { agentPod, cpuNode, daemonSet, gpuNode } from '../support/kube-api/objects.ts';
import { see } from '../support/kube-api/see.ts';

const waiting = { phase: 'Running', containerStatuses: [{ name: 'agent', state: { waiting: {} } }] };

describe('who is asked', () => {
  test('every node with a running agent is asked once, in the order people count', () => {
    const nodes = ['gpu-10', 'gpu-2', 'gpu-1'];

    const view = see({
      pods: nodes.map((node) => agentPod(node)),
      nodes: nodes.map((node) => gpuNode(node)),
    });

    expect(view.agents.map(({ node }) => node)).toEqual(['gpu-1', 'gpu-2', 'gpu-10']);
    expect(view).toMatchObject({ withoutAgent: [], nodesTotal: 3, notes: [] });
  });

  test('an agent is known by the API alone: node, pod, port', () => {
    const pod = agentPod('gpu-1', { name: 'a-1', port: 9000 });

    const { agents } = see({ pods: [pod], nodes: [gpuNode('gpu-1')] });

    expect(agents).toEqual([
      {
        node: 'gpu-1',
        namespace: 'gpu-mcp',
        pod: 'a-1',
        life: 'pod-gpu-mcp-a-1 0',
        ready: true,
        port: 9000,
        podIp: '10.0.0.7',
        mode: 'http',
        exposed: false,
        tlsServerName: null,
        plaintext: false,
      },
    ]);
  });

  test('how an agent is asked stands on its pod: the mode, whether it is exposed, and the name in its certificate', () => {
    const stdio = agentPod('gpu-1', { labels: { 'k8s-gpu-mcp/mode': 'stdio' } });
    const exposed = agentPod('gpu-2', {
      labels: { 'k8s-gpu-mcp/mode': 'http', 'k8s-gpu-mcp/exposed': 'true' },
      annotations: { 'k8s-gpu-mcp/tls-server-name': 'agents.gpu-mcp.svc' },
    });

    const open = agentPod('gpu-4', { annotations: { 'k8s-gpu-mcp/plaintext': 'true' } });

    expect(see({ pods: [stdio, exposed, agentPod('gpu-3'), open] }).agents).toMatchObject([
      { mode: 'stdio', exposed: false, tlsServerName: null },
      { mode: 'http', exposed: true, tlsServerName: 'agents.gpu-mcp.svc' },
      { mode: 'http', exposed: false, tlsServerName: null, plaintext: false },
      { mode: 'http', plaintext: true },
    ]);
  });

  test('without a port of the name mcp it is 8080', () => {
    const pod = agentPod('gpu-1');
    pod.spec = { nodeName: 'gpu-1', containers: [{ name: 'agent' }] };

    expect(see({ pods: [pod] }).agents[0]?.port).toBe(8080);
  });

  test('a running agent that is not ready is asked: a sick GPU is what one wants to hear of', () => {
    const unready = {
      phase: 'Running',
      containerStatuses: [{ name: 'agent', ready: false, state: { running: {} } }],
    };

    expect(see({ pods: [agentPod('gpu-1', { status: unready })] }).agents).toHaveLength(1);
  });

  test('a pod that merely carries the label is never an agent', () => {
    const strangers = [
      agentPod('gpu-1', { owner: null }),
      agentPod('gpu-2', {
        owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', uid: 'ds-gpu-mcp-agent', controller: true },
      }),
      agentPod('gpu-3', {
        owner: { apiVersion: 'apps/v1', kind: 'DaemonSet', uid: 'ds-gpu-mcp-agent', controller: false },
      }),
      agentPod('gpu-4', { daemonSet: 'without-our-label' }),
      agentPod('gpu-5', { namespace: 'evil', owner: agentOwner() }),
    ];

    const view = see({
      pods: [...strangers, agentPod('gpu-9')],
      nodes: [gpuNode('gpu-1'), gpuNode('gpu-9')],
    });

    expect(view.agents.map(({ node }) => node)).toEqual(['gpu-9']);
    expect(view.withoutAgent.map(({ node }) => node)).toEqual(['gpu-1']);
    expect(view.notes.join()).toMatch(/Not asked.*evil\/agent-gpu-5.*gpu-mcp\/agent-gpu-1/);
  });

  test('pods that an uninstall has left to end are said to be that', () => {
    const pods = [agentPod('gpu-1', { terminating: true })];

    expect(see({ pods, daemonSets: [], nodes: [gpuNode('gpu-1')] }).notes).toEqual([
      'Terminating, and their DaemonSet is gone, as when the agents are uninstalled: pods gpu-mcp/agent-gpu-1.',
    ]);
    expect(() => see({ pods, daemonSets: [], nodes: null })).toThrow(
      '; 1 pods carry the label, but no DaemonSet that does controls them any more: they are terminating, as when',
    );
  });

  test('where DaemonSets may not be listed the owner reference is believed, and that is said', () => {
    const view = see({ pods: [agentPod('gpu-1'), agentPod('gpu-2', { owner: null })], daemonSets: null });

    expect(view.agents.map(({ node }) => node)).toEqual(['gpu-1']);
    expect(view.notes.join()).toContain('DaemonSets may not be listed');
  });

  test('an agent on a node that the list does not have yet is asked; one that fails there is forgotten', () => {
    const pods = [agentPod('new'), agentPod('gone', { status: waiting })];

    expect(see({ pods, nodes: [] })).toMatchObject({
      agents: [{ node: 'new' }],
      withoutAgent: [],
      nodesTotal: 1,
    });
  });
});

function agentOwner(): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    name: 'agent',
    uid: 'ds-gpu-mcp-agent',
    controller: true,
  };
}

describe('who cannot be told apart', () => {
  const both = [daemonSet('agent'), daemonSet('agent', { namespace: 'test' }), daemonSet('other')];

  test('agents in two namespaces: none is asked, the flags are named', () => {
    const pods = [agentPod('gpu-1'), agentPod('gpu-2'), agentPod('gpu-3', { namespace: 'test' })];

    expect(() => see({ pods, daemonSets: both })).toThrow(
      expect.objectContaining({
        code: 'AGENTS_AMBIGUOUS',
        message:
          'there are agents in 2 namespaces, and none is asked until one is chosen: ' +
          '--namespace gpu-mcp (DaemonSet gpu-mcp/agent with 2 pods) or --namespace test (DaemonSet test/agent with 1 pods)',
      }),
    );
  });

  test('agents of two DaemonSets on one node: a label that tells them apart is named', () => {
    const pods = [
      agentPod('gpu-1', { labels: { app: 'x', release: 'a', 'controller-revision-hash': '1' } }),
      agentPod('gpu-1', {
        daemonSet: 'other',
        labels: { app: 'x', release: 'b', 'controller-revision-hash': '2' },
      }),
    ];

    expect(() => see({ pods, daemonSets: both, namespace: 'gpu-mcp' })).toThrow(
      /on gpu-1 .* --namespace gpu-mcp --selector release=a \(.*agent.*\) or --namespace gpu-mcp --selector release=b/,
    );
  });

  test('two DaemonSets with nodes of their own are one fleet', () => {
    const pods = [agentPod('gpu-1'), agentPod('gpu-2', { daemonSet: 'other' })];

    expect(see({ pods, daemonSets: both }).agents).toHaveLength(2);
  });

  test('pods that are going away do not count, so a move between namespaces ends by itself', () => {
    const pods = [agentPod('gpu-1'), agentPod('gpu-1', { namespace: 'test', terminating: true })];

    expect(see({ pods, daemonSets: both }).agents).toMatchObject([{ namespace: 'gpu-mcp' }]);
  });
});

describe('nobody is left out', () => {
  test('GPU nodes and nodes with an agent pod are counted, CPU nodes are not', () => {
    const view = see({
      pods: [agentPod('gpu-1'), agentPod('odd'), agentPod('sad', { status: { phase: 'Pending' } })],
      nodes: [gpuNode('gpu-1'), gpuNode('gpu-2'), cpuNode('odd'), cpuNode('sad'), cpuNode('cpu')],
    });

    expect(view.agents.map(({ node }) => node)).toEqual(['gpu-1', 'odd']);
    expect(view.withoutAgent.map(({ node }) => node)).toEqual(['gpu-2', 'sad']);
    expect(view.nodesTotal).toBe(4);
  });

  test('where nodes may not be listed the total is unknown, and that is said', () => {
    const view = see({
      pods: [agentPod('gpu-1'), agentPod('gpu-2', { status: { phase: 'Pending' } })],
      nodes: null,
    });

    expect(view.nodesTotal).toBeNull();
    expect(view.withoutAgent.map(({ node }) => node)).toEqual(['gpu-2']);
    expect(view.notes.join()).toContain('Nodes may not be listed');
  });

  test('GPU nodes without any agent are an answer, not an error', () => {
    expect(see({ nodes: [gpuNode('gpu-1')], daemonSets: [] })).toMatchObject({ agents: [], nodesTotal: 1 });
  });

  test('neither agents nor GPU nodes is an error that says where was looked', () => {
    expect(() => see({ nodes: [cpuNode('cpu')], selector: 'a=b', namespace: 'x' })).toThrow(
      expect.objectContaining({
        code: 'NO_AGENTS',
        message:
          'no agent pods with the label k8s-gpu-mcp/agent=true,a=b in namespace x, and none of the 1 nodes of the cluster has GPUs',
      }),
    );
    expect(() => see({ nodes: null })).toThrow(/in all namespaces, and nodes may not be listed/);
  });
});
