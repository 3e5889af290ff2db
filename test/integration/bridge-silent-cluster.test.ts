import { expect, onTestFinished, test } from 'vitest';
import { createFleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { memberOf } from '../../src/bridge/open-fleet.ts';
import { createLog } from '../../src/core/log.ts';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import { agentPod, daemonSet, gpuNode } from '../support/kube-api/objects.ts';
import { question } from '../support/question.ts';

// Where a pod is gone the cluster is looked at again, for who stands for its node: an API server that took the question and
// said nothing held the whole answer back until the end of the call's time.
test('an API server that goes silent in the middle of a call does not hold back what is known', async () => {
  let silent = false;
  const unanswered = new Set<string>();
  const pod = agentPod('gpu-1');
  const api = await kubeApi({
    objects: [daemonSet('agent', { desired: 1 }), gpuNode('gpu-1'), pod],
    swallows: ({ verb, resource }) => silent && verb === 'list' && Boolean(unanswered.add(resource)),
  });
  const cluster = clientOf(api);
  await cluster.view(soon()); // the Kubernetes client is loaded now, which is not what is tried here
  const member = memberOf(cluster, { transport: 'port-forward', token: undefined });
  const fleet = createFleet({
    roster: async (signal) => {
      const { agents, withoutAgent, notes } = await cluster.view(signal);
      api.remove(pod);
      silent = true;
      return { members: agents.map(member), withoutAgent, complete: true, notes };
    },
    token: undefined,
    limits: { ...defaultLimits, fanOutMs: 600_000 }, // who waits until its end never sees the answer
    log: createLog('error', () => undefined),
  });
  onTestFinished(() => fleet.close());

  const { failed } = await fleet.ask(question);

  expect(failed).toMatchObject([{ node: 'gpu-1', code: 'NODE_UNREACHABLE' }]);
  expect(failed[0]?.message).toMatch(/^pod gpu-mcp\/agent-gpu-1 is gone/);
  expect(unanswered).toContain('pods');
});
