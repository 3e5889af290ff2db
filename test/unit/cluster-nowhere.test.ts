import { describe, expect, test } from 'vitest';
import { agentPod, cpuNode, daemonSet, gpuNode, warning } from '../support/kube-api/objects.ts';
import { see, why } from '../support/kube-api/see.ts';

const affinity = (key: string) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }],
      },
    },
  },
});
const advice =
  'set the chart value nodeAffinity, or label the GPU nodes, such as nvidia.com/gpu.present=true';

/** The controller backs off for many minutes, and what it waits for does not wake it. */
const restart = '; then: kubectl --namespace gpu-mcp rollout restart daemonset/agent';

/** As the API server words it, for a pod with everything on. */
const violates =
  'Error creating: pods "agent-x7k2p" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities ' +
  '(container "agent" must not include "SYSLOG" in securityContext.capabilities.add), host namespaces (hostPID=true), hostPath volumes (volumes ' +
  '"pod-resources"), and a good many words more, each of which names a rule, a container and a field of it, ' +
  'so that the whole is longer than what one value of a cluster is usually given';

describe('a DaemonSet that is nowhere', () => {
  const owner = daemonSet('agent', { desired: 2, current: 0 });
  const events = [warning(owner, 'FailedCreate', violates)];

  test('the namespace forbids it: the reason is whole, and what to do stands behind it', () => {
    expect(why({ nodes: [gpuNode('gpu-1')], daemonSets: [owner], events })).toBe(
      `DaemonSet gpu-mcp/agent wants 2, has 0: FailedCreate: ${violates}. Do without: ` +
        'chart values kernelLog.enabled=false, podResources.enabled=false, hostPID.enabled=false; or allow it: ' +
        `kubectl label namespace gpu-mcp pod-security.kubernetes.io/enforce=privileged --overwrite${restart}`,
    );
  });

  test('in the mode hostDriver doing without does not help, and is not advised', () => {
    const privileged = violates.replace(
      'hostPath volumes',
      'privileged (container "agent" must not set securityContext.privileged=true), hostPath volumes',
    );

    expect(
      why({
        nodes: [gpuNode('gpu-1')],
        daemonSets: [owner],
        events: [warning(owner, 'FailedCreate', privileged)],
      }),
    ).toBe(
      `DaemonSet gpu-mcp/agent wants 2, has 0: FailedCreate: ${privileged}. gpuAccess.mode=hostDriver makes the container ` +
        'privileged: choose another mode; or allow it: kubectl label namespace gpu-mcp ' +
        `pod-security.kubernetes.io/enforce=privileged --overwrite${restart}`,
    );
  });

  test('OpenShift forbids it in words of its own, and has a way out of its own', () => {
    const refused =
      'pods "agent-" is forbidden: unable to validate against any security context constraint: [provider "anyuid": ' +
      'Forbidden: not usable by user or serviceaccount, provider restricted-v2: .spec.securityContext.hostPID: Invalid value]';
    const asAgents = daemonSet('agent', { desired: 2, current: 0, pod: { serviceAccountName: 'agents' } });

    expect(
      why({
        nodes: [gpuNode('gpu-1')],
        daemonSets: [asAgents],
        events: [warning(asAgents, 'FailedCreate', refused)],
      }),
    ).toBe(
      `DaemonSet gpu-mcp/agent wants 2, has 0: FailedCreate: ${refused}. ` +
        'Do without: chart values kernelLog.enabled=false, podResources.enabled=false, hostPID.enabled=false; ' +
        `or allow it: oc adm policy add-scc-to-user privileged -z agents -n gpu-mcp${restart}`,
    );
  });

  test.for([
    ['it lacks no pod now', 'FailedCreate', { desired: 2, current: 2 }],
    ['it was another event that said so', 'FailedDaemonPod', { desired: 2, current: 0 }],
  ] as const)('control: nothing is to be allowed where %s', ([, reason, counts]) => {
    const daemonSets = [daemonSet('agent', counts)];

    expect(why({ nodes: [gpuNode('gpu-1')], daemonSets, events: [warning(owner, reason, violates)] })).toBe(
      `DaemonSet gpu-mcp/agent wants ${counts.desired}, has ${counts.current}: ${reason}: ${violates}`,
    );
  });

  test('what was said of a DaemonSet that had the same name before is not said of this one', () => {
    const former = daemonSet('agent');
    former.metadata.uid = 'former';

    expect(
      why({
        nodes: [gpuNode('gpu-1')],
        daemonSets: [owner],
        events: [warning(former, 'FailedCreate', violates)],
      }),
    ).toBe('DaemonSet gpu-mcp/agent wants 2, has 0');
  });

  test('also where nodes may not be listed', () => {
    expect(() => see({ nodes: null, daemonSets: [owner], events, namespace: 'gpu-mcp' })).toThrow(
      expect.objectContaining({
        code: 'NO_AGENTS',
        message: expect.stringMatching(
          /in namespace gpu-mcp, and nodes may not be listed\. DaemonSet gpu-mcp\/agent wants 2, has 0: FailedCreate: .*violates PodSecurity "baseline:latest": .* usually given\. Do without: .* allow it: kubectl label namespace gpu-mcp /,
        ),
      }),
    );
  });

  const runtimeAdvice =
    '. Where the nvidia runtime is the default of the GPU nodes: chart value gpuAccess.runtimeClass.name=""; ' +
    'else another gpuAccess.mode, see chart/README.md';

  test('there is no such RuntimeClass: what to set stands behind it', () => {
    const rejected = 'pods "agent-x" is forbidden: pod rejected: RuntimeClass "nvidia" not found';
    const lacking = [warning(owner, 'FailedCreate', rejected)];

    expect(why({ nodes: [gpuNode('gpu-1')], daemonSets: [owner], events: lacking })).toBe(
      `DaemonSet gpu-mcp/agent wants 2, has 0: FailedCreate: ${rejected}${runtimeAdvice}; or make the RuntimeClass${restart}`,
    );
  });

  test.for([
    'unable to get OCI runtime: no runtime for "nvidia" is configured',
    'failed to find runtime handler nvidia from runtime list map[crun:0xc0 runc:0xc1]',
  ])(
    'the node has no such runtime: the same stands behind what its pod waits for, and nobody has to be woken: %s',
    (lacks) => {
      const creating = { state: { waiting: { reason: 'ContainerCreating' } } };
      const pod = agentPod('gpu-1', {
        status: { phase: 'Pending', containerStatuses: [{ name: 'agent', ...creating }] },
      });
      const said = `Failed to create pod sandbox: ${lacks}`;
      const lacking = [warning(pod, 'FailedCreatePodSandBox', said)];

      expect(why({ nodes: [gpuNode('gpu-1')], pods: [pod], events: lacking })).toBe(
        `pod gpu-mcp/agent-gpu-1 is waiting: ContainerCreating; FailedCreatePodSandBox: ${said}${runtimeAdvice}`,
      );
    },
  );

  test('control: another reason gets no advice that is not for it', () => {
    const quota = [warning(owner, 'FailedCreate', 'exceeded quota')];

    expect(why({ nodes: [gpuNode('gpu-1')], daemonSets: [owner], events: quota })).toBe(
      'DaemonSet gpu-mcp/agent wants 2, has 0: FailedCreate: exceeded quota',
    );
  });

  test('no node has a label that tells of GPUs, and so it wants none: it is named, with what to set', () => {
    const daemonSets = [daemonSet('agent', { pod: affinity('nvidia.com/gpu.present') })];

    expect(() => see({ nodes: [cpuNode('a'), cpuNode('b'), cpuNode('c')], daemonSets })).toThrow(
      expect.objectContaining({
        code: 'NO_AGENTS',
        message:
          'no agent pods with the label k8s-gpu-mcp/agent=true in all namespaces, and none of the 3 nodes of the cluster has ' +
          `GPUs. 0 of 3 nodes match the node selector of DaemonSet gpu-mcp/agent (its node affinity): ${advice}`,
      }),
    );
  });

  test('GPU nodes whose labels it does not know: all nodes are counted', () => {
    const daemonSets = [daemonSet('agent', { pod: affinity('nvidia.com/gpu.present') })];

    expect(why({ nodes: [gpuNode('gpu-1'), cpuNode('a'), cpuNode('b')], daemonSets })).toBe(
      `0 of 3 nodes match the node selector of DaemonSet gpu-mcp/agent (its node affinity): ${advice}`,
    );
  });

  test('it matches nodes, and none with GPUs', () => {
    const daemonSets = [daemonSet('agent', { pod: affinity('pool') })];
    const nodes = [gpuNode('gpu-1'), gpuNode('gpu-2', { labels: { pool: 'x' }, capacity: {} })];

    expect(why({ nodes, daemonSets })).toBe(
      `0 of 1 GPU nodes match the node selector of DaemonSet gpu-mcp/agent (its node affinity): ${advice}`,
    );
  });
});
