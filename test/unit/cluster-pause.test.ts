import { describe, expect, test } from 'vitest';
import { agentPod, daemonSet, gpuNode, warning } from '../support/kube-api/objects.ts';
import { see, why } from '../support/kube-api/see.ts';

const paused =
  'paused by its label k8s-gpu-mcp/paused; back with kubectl label node NAME k8s-gpu-mcp/paused-';

/** As the chart makes it: every alternative of the node affinity ends so. */
const owner = daemonSet('agent', {
  pod: {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'pool', operator: 'Exists' },
                { key: 'k8s-gpu-mcp/paused', operator: 'DoesNotExist' },
              ],
            },
          ],
        },
      },
    },
  },
});
const inPool = { pool: 'a' };
const pause = { 'k8s-gpu-mcp/paused': 'true' };
const noGpus = { cpu: '8' };
const pausedNode = (name: string) => gpuNode(name, { labels: { ...inPool, ...pause } });

describe('the agent of a node is paused by a label', () => {
  test('the node is listed with that reason, in the same words as the others of its pool', () => {
    const view = see({
      nodes: [gpuNode('gpu-1', { labels: inPool }), pausedNode('gpu-2'), pausedNode('gpu-3')],
      pods: [agentPod('gpu-1')],
      daemonSets: [owner],
    });

    expect(view).toMatchObject({
      agents: [{ node: 'gpu-1' }],
      withoutAgent: [
        { node: 'gpu-2', why: paused },
        { node: 'gpu-3', why: paused },
      ],
      nodesTotal: 3,
    });
  });

  test('all that match are paused: nobody is told that the selector matches none', () => {
    const { withoutAgent } = see({ nodes: [gpuNode('gpu-1'), pausedNode('gpu-2')], daemonSets: [owner] });

    expect(withoutAgent).toEqual([
      { node: 'gpu-1', why: expect.stringMatching(/^this node does not match/) },
      { node: 'gpu-2', why: paused },
    ]);
  });

  test('its pod is still there for a while, and holds the driver: both are said', () => {
    const pods = [agentPod('gpu-1', { terminating: true })];

    expect(why({ nodes: [pausedNode('gpu-1')], pods, daemonSets: [owner] })).toBe(
      `pod gpu-mcp/agent-gpu-1 is still terminating: its node is ${paused}`,
    );
  });

  test('a node that is known to have GPUs by its agent alone does not vanish from the count', () => {
    const node = gpuNode('gpu-1', { labels: { ...inPool, ...pause }, capacity: noGpus });

    expect(see({ nodes: [node], daemonSets: [owner] })).toMatchObject({
      withoutAgent: [{ node: 'gpu-1', why: paused }],
      nodesTotal: 1,
    });
  });

  test('where DaemonSets may not be listed the label is believed', () => {
    expect(why({ nodes: [pausedNode('gpu-1')], daemonSets: null })).toBe(paused);
  });

  test('control: a node that would get no agent anyway is not made a GPU node by the label', () => {
    const nodes = [gpuNode('cpu', { labels: pause, capacity: noGpus }), pausedNode('gpu-1')];

    expect(see({ nodes, daemonSets: [owner] })).toMatchObject({ nodesTotal: 1 });
    expect(see({ nodes, daemonSets: null })).toMatchObject({ nodesTotal: 1 });
  });

  test('control: where removing the label would bring no agent, it is not blamed', () => {
    const matching = gpuNode('gpu-2', { labels: inPool });
    const elsewhere = gpuNode('gpu-1', { labels: pause });

    expect(why({ nodes: [elsewhere, matching], daemonSets: [owner] })).toMatch(/^this node does not match/);
    expect(why({ nodes: [pausedNode('gpu-1')], daemonSets: [] })).toMatch(/^no DaemonSet with the label/);
  });

  test('control: a DaemonSet that knows no pause has other reasons', () => {
    const older = daemonSet('agent', { desired: 1, current: 0, pod: { nodeSelector: inPool } });
    const nodes = [pausedNode('gpu-1')];
    const events = [warning(older, 'FailedCreate', 'exceeded quota')];
    const pods = [agentPod('gpu-1', { terminating: true })];

    expect(why({ nodes, daemonSets: [older], events })).toMatch(
      /wants 1, has 0: FailedCreate: exceeded quota$/,
    );
    expect(why({ nodes, daemonSets: [older], pods })).toMatch(/is being replaced or uninstalled$/);
  });
});
