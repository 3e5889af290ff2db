import { describe, expect, test } from 'vitest';
import { agentPod, daemonSet, gpuNode, warning } from '../support/kube-api/objects.ts';
import { why } from '../support/kube-api/see.ts';

const status = (waiting: object, lastState: object = {}) => ({
  phase: 'Running',
  containerStatuses: [{ name: 'agent', state: { waiting }, lastState }],
});

const affinity = (key: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }],
      },
    },
  },
});
const label = 'label it, as by kubectl label node NAME nvidia.com/gpu.present=true';
const setAffinity = "set the chart's nodeAffinity";

const advice =
  'set the chart value nodeAffinity, or label the GPU nodes, such as nvidia.com/gpu.present=true';

describe('why a node has no agent', () => {
  const nodes = [gpuNode('gpu-1')];

  test.for<[string, object, string]>([
    [
      'crash loop',
      status({ reason: 'CrashLoopBackOff', message: 'back-off 5m0s' }),
      'is waiting: CrashLoopBackOff: back-off 5m0s',
    ],
    [
      'out of memory before',
      status({ reason: 'CrashLoopBackOff' }, { terminated: { exitCode: 137, reason: 'OOMKilled' } }),
      'is waiting: CrashLoopBackOff; before that: exit code 137: OOMKilled',
    ],
    [
      'no image',
      status({ reason: 'ImagePullBackOff', message: 'not found' }),
      'is waiting: ImagePullBackOff: not found',
    ],
    [
      'ended',
      { phase: 'Running', containerStatuses: [{ name: 'agent', state: { terminated: { exitCode: 2 } } }] },
      'has ended: exit code 2',
    ],
    [
      'evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      'is Failed: Evicted: low on memory',
    ],
    [
      'init container',
      {
        phase: 'Pending',
        initContainerStatuses: [{ name: 'wait', state: { terminated: { exitCode: 1, reason: 'Error' } } }],
      },
      'has a failed init container wait: exit code 1: Error',
    ],
  ])('%s', ([, podStatus, words]) => {
    expect(why({ pods: [agentPod('gpu-1', { status: podStatus })], nodes })).toBe(
      `pod gpu-mcp/agent-gpu-1 ${words}`,
    );
  });

  test('terminating', () => {
    expect(why({ pods: [agentPod('gpu-1', { terminating: true })], nodes })).toBe(
      'pod gpu-mcp/agent-gpu-1 is terminating: it is being replaced or uninstalled',
    );
  });

  test('a pod that is not scheduled yet names its node by affinity', () => {
    const pod = agentPod(null, {
      name: 'agent-x',
      status: {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: no cpu' },
        ],
      },
    });
    Object.assign(pod.spec ?? {}, {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['gpu-1'] }] },
            ],
          },
        },
      },
    });

    expect(why({ pods: [pod], nodes })).toBe(
      'pod gpu-mcp/agent-x is Pending: Unschedulable: 0/1 nodes: no cpu',
    );
  });

  test('what a container is created for in vain is in the events', () => {
    const pod = agentPod('gpu-1', {
      status: { ...status({ reason: 'ContainerCreating' }), phase: 'Pending' },
    });
    const events = [
      warning(pod, 'FailedMount', 'old', '2026-11-01T00:00:00Z'),
      warning(pod, 'FailedMount', 'no such volume', '2026-11-01T00:05:00Z'),
    ];

    expect(why({ pods: [pod], nodes, events })).toBe(
      'pod gpu-mcp/agent-gpu-1 is waiting: ContainerCreating; FailedMount: no such volume',
    );
  });

  test('the DaemonSet could not create it: the event says why', () => {
    const owner = daemonSet('agent', { desired: 8, current: 6 });
    const events = [warning(owner, 'FailedCreate', 'pods "agent-" is forbidden: exceeded quota')];

    expect(why({ nodes, daemonSets: [owner], events })).toBe(
      'DaemonSet gpu-mcp/agent wants 8, has 6: FailedCreate: pods "agent-" is forbidden: exceeded quota',
    );
  });

  test('no node matched the node selector', () => {
    const daemonSets = [daemonSet('agent', { pod: { nodeSelector: { gpu: 'yes' } } })];

    expect(why({ nodes: [gpuNode('gpu-1'), gpuNode('gpu-2')], daemonSets })).toBe(
      `0 of 2 nodes match the node selector of DaemonSet gpu-mcp/agent (gpu=yes): ${advice}`,
    );
  });

  test('only this node does not match', () => {
    const daemonSets = [daemonSet('agent', { pod: { nodeSelector: { gpu: 'yes' } } })];
    const others = [gpuNode('gpu-2', { labels: { gpu: 'yes' } })];

    expect(why({ nodes: [...nodes, ...others], daemonSets })).toBe(
      'this node does not match the node selector of DaemonSet gpu-mcp/agent (gpu=yes)',
    );
  });

  test.for<[string, object, Record<string, string>, string]>([
    ['its label or the affinity', affinity('nvidia.com/gpu.present'), {}, `: ${label}, or ${setAffinity}`],
    ['the affinity alone', affinity('pool'), {}, `: ${setAffinity}`],
    ['its label alone', { nodeSelector: { 'nvidia.com/gpu.present': 'true' } }, {}, `: ${label}`],
    ['neither', { nodeSelector: { os: 'linux' }, ...affinity('pool') }, { os: 'windows' }, ''],
  ])('only this node does not match, and what would help is said: %s', ([, pod, labels, help]) => {
    const all = { pool: 'x', os: 'linux', 'nvidia.com/gpu.present': 'true' };
    const others = [gpuNode('gpu-2', { labels: all })];
    const daemonSets = [daemonSet('agent', { pod })];

    const told = why({ nodes: [gpuNode('gpu-1', { labels }), ...others], daemonSets });

    expect(told?.replace(/ \([^)]*\)/, '')).toBe(
      `this node does not match the node selector of DaemonSet gpu-mcp/agent${help}`,
    );
  });

  test('node affinity counts as much as the selector', () => {
    const term = (operator: string, values: string[] = []) => ({
      matchExpressions: [{ key: 'pool', operator, values }],
    });
    const wanting = (...nodeSelectorTerms: object[]) => [
      daemonSet('agent', {
        pod: {
          affinity: {
            nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
          },
        },
      }),
    ];
    const pools = [gpuNode('gpu-1', { labels: { pool: '7' } })];

    for (const term_ of [
      term('In', ['8']),
      term('NotIn', ['7']),
      term('DoesNotExist'),
      term('Gt', ['7']),
      term('Lt', ['7']),
      {},
    ])
      expect(why({ nodes: pools, daemonSets: wanting(term_) })).toMatch(/^0 of 1 nodes match/);
    for (const term_ of [
      term('In', ['7']),
      term('NotIn', ['8']),
      term('Exists'),
      term('Gt', ['6']),
      term('Lt', ['8']),
    ])
      expect(why({ nodes: pools, daemonSets: wanting(term('In', ['9']), term_) })).toMatch(/wants 0, has 0/);
  });

  test('a taint that the DaemonSet does not tolerate', () => {
    const taints = [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }];
    const tainted = [gpuNode('gpu-1', { taints })];
    const tolerating = (...tolerations: object[]) => [daemonSet('agent', { pod: { tolerations } })];

    expect(why({ nodes: tainted })).toBe(
      'DaemonSet gpu-mcp/agent does not tolerate the taint nvidia.com/gpu=present:NoSchedule of this node',
    );
    for (const enough of [
      { operator: 'Exists' },
      { key: 'nvidia.com/gpu', operator: 'Exists' },
      { key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' },
    ])
      expect(why({ nodes: tainted, daemonSets: tolerating(enough) })).toMatch(/wants/);
    for (const wrong of [
      { key: 'nvidia.com/gpu', value: 'absent' },
      { operator: 'Exists', effect: 'NoExecute' },
    ])
      expect(why({ nodes: tainted, daemonSets: tolerating(wrong) })).toMatch(/does not tolerate/);
  });

  test('a cordoned node is no excuse: DaemonSets run there', () => {
    const taints = [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }];

    expect(why({ nodes: [gpuNode('gpu-1', { taints })] })).toMatch(/wants/);
  });

  test('no DaemonSet of ours at all', () => {
    expect(why({ nodes, daemonSets: [] })).toBe(
      'no DaemonSet with the label k8s-gpu-mcp/agent=true in any namespace; helm install the chart, as README says',
    );
    expect(why({ nodes, daemonSets: null })).toBe('no agent pod on this node');
  });

  test('the DaemonSet that wants the node is blamed, not the one for other nodes', () => {
    const daemonSets = [
      daemonSet('a100', { pod: { nodeSelector: { pool: 'a100' } } }),
      daemonSet('t4', { desired: 2, current: 1, pod: { nodeSelector: { pool: 't4' } } }),
    ];

    expect(why({ nodes: [gpuNode('gpu-1', { labels: { pool: 't4' } })], daemonSets })).toBe(
      'DaemonSet gpu-mcp/t4 wants 2, has 1',
    );
  });

  test('text from the cluster cannot draw on the terminal, and is bounded', () => {
    const message = `\u001b[31mred\u202e\u0007\n${'x'.repeat(1000)}`;

    const told =
      why({ pods: [agentPod('gpu-1', { status: status({ reason: 'Oops', message }) })], nodes }) ?? '';

    expect(told).toMatch(/Oops: \[31mred x+…$/);
    expect(told.length).toBeLessThan(400);
  });
});
