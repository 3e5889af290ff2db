import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';
import { type Host, host } from '../support/fleet/host.ts';
import { answering500, blackHole, refusing, slow, truncating } from '../support/fleet/listeners.ts';
import { seenIn } from '../support/fleet/scenario.ts';
import { type FleetOf20, liar, namespace, startFleetOf20 } from './fleet-of-20.ts';

const skipped = whyNotHere();

describe.skipIf(skipped).for(['1.34', '1.35'] as const)(`Kubernetes %s ${skipped ?? ''}`, (version) => {
  let fleet: FleetOf20;
  let viewer: Host;

  beforeAll(async () => {
    await ensurePrograms(version);
    fleet = await startFleetOf20(version, []);
    viewer = await host(fleet.cluster.kubeconfig('viewer'));
  });

  afterAll(async () => {
    await viewer?.leave();
    await fleet?.stop();
  });

  const inventory = () => viewer.callAll('get_gpu_inventory', { detail: 'full' });

  test('every node answers for itself, with its own GPUs and nobody else’s', async () => {
    const { structured } = await inventory();

    expect(structured).toMatchObject({
      status: 'success',
      nodesTotal: 20,
      answered: 20,
      failed: [],
      withoutAgent: [],
    });
    expect(seenIn(structured)).toEqual(fleet.truths);
  });

  test('control: were two nodes mixed up on the way, the test above would see it', async () => {
    const portOf = (node: string) => fleet.agents.get(node)?.port;
    await Promise.all([
      fleet.redirect('node-6', portOf('node-7')),
      fleet.redirect('node-7', portOf('node-6')),
    ]);
    const fresh = await host(fleet.cluster.kubeconfig('viewer'));

    const { structured } = await fresh.callAll('get_gpu_inventory', { detail: 'full' });

    expect(structured.answered).toBe(20);
    expect(seenIn(structured)).not.toEqual(fleet.truths);
    await Promise.all([fleet.redirect('node-6'), fleet.redirect('node-7'), fresh.leave()]);
  });

  test('an agent that claims another node’s name is not believed', async () => {
    const { structured } = await viewer.callAll('get_gpu_inventory', {
      detail: 'full',
      nodes: [liar, 'node-1'],
    });

    const [truth1, , truth3] = fleet.truths;
    expect(seenIn(structured)).toEqual([truth1, truth3]);
  });

  test('five sick nodes cost only their own answers, and the second call does not wait for them', async () => {
    const sick = [
      ['node-16', 'NODE_UNREACHABLE', await refusing()],
      ['node-17', 'NODE_TIMEOUT', await blackHole()],
      ['node-18', 'NODE_TIMEOUT', await slow()],
      // kwok, unlike a kubelet, keeps a stream open whose far end has closed: the cut shows as silence.
      ['node-19', 'NODE_TIMEOUT', await truncating()],
      ['node-20', 'NODE_BAD_ANSWER', await answering500()],
    ] as const;
    await Promise.all(sick.map(([node, , { port }]) => fleet.redirect(node, port)));
    const fresh = await host(fleet.cluster.kubeconfig('viewer')); // open streams stay where they were
    const ask = () => fresh.callAll('get_gpu_inventory', { detail: 'full' });

    const first = await ask();
    const second = await ask();
    const named = await fresh.call('get_gpu_inventory', { nodes: ['node-16'] });

    const failures = sick.map(([node, code]) => ({ node, code }));
    for (const { structured } of [first, second]) {
      expect(structured).toMatchObject({ status: 'partial', nodesTotal: 20, answered: 15, withoutAgent: [] });
      expect(structured.failed.map(({ node, code }) => ({ node, code }))).toEqual(failures);
      expect(seenIn(structured)).toEqual(fleet.truths.slice(0, 15));
    }
    expect(first.tookMs).toBeLessThan(10_000);
    expect(second.tookMs).toBeLessThan(first.tookMs);
    expect(named).toMatchObject({
      isError: true,
      structured: { status: 'error', nodesTotal: 1, answered: 0 },
    });

    await Promise.all(sick.map(([node]) => fleet.redirect(node)));
    await expect
      .poll(async () => (await ask()).structured.answered, { timeout: 60_000, interval: 1000 })
      .toBe(20);
    await fresh.leave();
    for (const [, , listener] of sick) listener.close();
  });

  test('a pod that was replaced under a new name is asked in its place', async () => {
    const agent = fleet.agents.get('node-5');
    await fleet.cluster.removeAgentPod({ name: fleet.podOf('node-5'), namespace });
    const gap = await inventory();
    const target = { address: '127.0.0.1', port: agent?.port ?? 0 };
    const { daemonSet } = fleet;
    await fleet.cluster.addAgentPod({ name: 'agent-new', node: 'node-5', namespace, daemonSet, target });
    await fleet.cluster.waitForPods(['agent-new']);

    await expect.poll(async () => (await inventory()).structured.answered, { timeout: 20_000 }).toBe(20);

    expect(gap.structured.answered).toBe(19);
    expect(gap.structured.nodesTotal).toBe(20);
    expect(seenIn((await inventory()).structured)).toEqual(fleet.truths);
  });

  test('a user without the Role is told which right is lacking, and how to see it', async () => {
    const { cluster } = fleet;
    await cluster.apply({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'namespaced-sees' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'k8s-gpu-mcp-viewer' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'namespaced' }],
    });
    const seeing = await host(cluster.kubeconfig('namespaced'));
    const stranger = await host(cluster.kubeconfig('stranger'));

    const withoutRole = await seeing.call('get_gpu_health');
    const withoutAnything = await stranger.call('get_gpu_health');

    expect(withoutRole.isError).toBe(true);
    expect(withoutRole.structured.failed).toHaveLength(20);
    expect(withoutRole.text).toContain('pods/portforward');
    expect(withoutRole.text).toContain(`kubectl auth can-i`);
    expect(withoutAnything.isError).toBe(true);
    expect(withoutAnything.text).toMatch(/^CLUSTER_FORBIDDEN: .*pods/);
    await Promise.all([seeing.leave(), stranger.leave()]);
  });

  test('a pod that merely carries the label is not asked', async () => {
    const impostor = await blackHole();
    onTestFinished(async () => {
      impostor.close();
      await fleet.cluster.removeAgentPod({ name: 'impostor', namespace });
      await fleet.cluster.remove('node', 'node-21');
    });
    const target = { address: '127.0.0.1', port: impostor.port };
    await fleet.cluster.addNode({ name: 'node-21', capacity: { 'nvidia.com/gpu': 1 } });
    await fleet.cluster.addAgentPod({ name: 'impostor', node: 'node-21', namespace, target });
    await fleet.cluster.waitForPods(['impostor']);

    await expect.poll(async () => (await inventory()).structured.nodesTotal, { timeout: 20_000 }).toBe(21);
    const { structured } = await inventory();

    expect(structured.withoutAgent.map(({ node }) => node)).toEqual(['node-21']);
    expect(structured.answered).toBe(20);
    expect(impostor.connections()).toBe(0);
  });

  test('a GPU node whose agent was refused is counted, with the reason', async () => {
    onTestFinished(() => fleet.cluster.remove('node', 'node-22'));
    await fleet.cluster.addNode({ name: 'node-22', capacity: { 'nvidia.com/gpu': 8 } });
    await fleet.cluster.patchStatus(
      { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', namespace },
      { desiredNumberScheduled: 21, currentNumberScheduled: 20, numberReady: 20 },
    );
    await fleet.cluster.apply({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'agent-refused', namespace },
      involvedObject: {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        name: 'agent',
        namespace,
        uid: fleet.daemonSet.uid,
      },
      type: 'Warning',
      reason: 'FailedCreate',
      message: 'violates PodSecurity "restricted:latest"',
      lastTimestamp: new Date().toISOString(),
      source: { component: 'daemonset-controller' },
      count: 1,
    });

    await expect.poll(async () => (await inventory()).structured.nodesTotal, { timeout: 20_000 }).toBe(21);
    const { structured, text } = await inventory();

    expect(structured).toMatchObject({
      status: 'partial',
      answered: 20,
      withoutAgent: [{ node: 'node-22' }],
    });
    expect(text).toMatch(/NO AGENT on node-22: .*wants 21, has 20.*FailedCreate.*PodSecurity/);
  });

  test('one question carries one id, from the bridge to every agent’s log', async () => {
    const { text } = await inventory();

    const [, requestId] = /\(request ([0-9a-f]{8}),/.exec(text) ?? [];
    const lines = fleet.log.filter((line) => line.includes(`"requestId":"${requestId}"`));
    expect(lines).toHaveLength(17);
  });

  test('with twenty streams open the bridge is gone soon after its host', async () => {
    const fresh = await host(fleet.cluster.kubeconfig('viewer'));
    await fresh.call('get_gpu_health');

    expect(await fresh.leave()).toBeLessThan(3000);
  });

  // Last: after a restart kwok takes its time to notice new nodes, and no test after this adds any.
  test('after a restart of the API server the next call finds everyone again', async () => {
    await fleet.cluster.restartApiServer();

    const { structured } = await inventory();

    expect(structured).toMatchObject({ status: 'success', answered: 20, failed: [] });
    expect(seenIn(structured)).toEqual(fleet.truths);
  });

  test('while the API server is away the answer says so, and does not hang', async () => {
    const fresh = await host(fleet.cluster.kubeconfig('viewer'));
    await fleet.cluster.stopApiServer();

    const { isError, text, tookMs } = await fresh.call('get_gpu_health');
    await fleet.cluster.startApiServer();
    const { structured } = await fresh.call('get_gpu_health');

    expect(isError).toBe(true);
    expect(text).toMatch(/^CLUSTER_UNREACHABLE: /);
    expect(tookMs).toBeLessThan(10_000);
    expect(structured.answered).toBe(20);
    await fresh.leave();
  });
});
