import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bridgeEntry } from '../support/build.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { frozen } from '../support/cluster/kwok.ts';
import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';
import { rolesFromReadme } from '../support/cluster/viewer.ts';
import { host } from '../support/fleet/host.ts';
import { fleetScenario, seenIn } from '../support/fleet/scenario.ts';
import { type RunningAgent, simulatedAgent } from '../support/fleet/simulated-agent.ts';

const skipped = whyNotHere();
const namespace = 'gpu-mcp';
const rbac = 'rbac.authorization.k8s.io';

/** A small cluster: what is tried here depends on rights and roads, not on numbers. */
describe.skipIf(skipped).for(['1.34', '1.35'] as const)(`Kubernetes %s ${skipped ?? ''}`, (version) => {
  const fleet = fleetScenario(['node-1', 'node-2']);
  let cluster: Cluster;
  let agents: RunningAgent[];
  let daemonSet: { readonly name: string; readonly uid: string };

  beforeAll(async () => {
    await ensurePrograms(version);
    cluster = await startCluster({ version, users: [] });
    agents = await Promise.all(fleet.truths.map(({ node }) => simulatedAgent(fleet.scenario, node)));
    await cluster.addNamespace(namespace);
    await cluster.apply(...rolesFromReadme('viewer', namespace));
    daemonSet = await cluster.addDaemonSet({ name: 'agent', namespace });
    for (const [at, { node }] of fleet.truths.entries()) {
      await cluster.addNode({ name: node, labels: { 'nvidia.com/gpu.present': 'true' } });
      const target = { address: '127.0.0.1', port: agents[at]?.port ?? 0 };
      await cluster.addAgentPod({ name: `agent-${node}`, node, namespace, daemonSet, target });
    }
    await cluster.waitForPods(fleet.truths.map(({ node }) => `agent-${node}`));
  });

  afterAll(async () => {
    await Promise.all((agents ?? []).map((agent) => agent.stop()));
    await cluster?.stop();
  });

  test('who sees one namespace only is answered from it, and told that nobody knows whether that is all', async () => {
    await cluster.apply(...rightsIn(namespace, 'namespaced'));
    const own = await host(cluster.kubeconfig('namespaced', namespace));
    const elsewhere = await host(cluster.kubeconfig('namespaced', 'default'));
    const named = await host(cluster.kubeconfig('namespaced', 'default'), '--namespace', namespace);

    const { structured, text } = await own.callAll('get_gpu_inventory', { detail: 'full' });
    const wrong = await elsewhere.call('get_gpu_inventory');
    const right = await named.callAll('get_gpu_inventory', { detail: 'full' });

    for (const each of [structured, right.structured]) {
      expect(each).toMatchObject({ status: 'success', nodesTotal: null, answered: 2, failed: [] });
      expect(seenIn(each)).toEqual(fleet.truths);
    }
    for (const each of [text, right.text]) {
      expect(each).toMatch(/whether that is all cannot be told/);
      expect(each).toMatch(/unknown whether there are GPU nodes without an agent/);
    }
    expect(wrong).toMatchObject({ isError: true });
    expect(wrong.text).toMatch(
      /^CLUSTER_FORBIDDEN: .*pods.* only namespace default of context .* was searched; --namespace NAME searches another\./,
    );
    await Promise.all([own.leave(), elsewhere.leave(), named.leave()]);
  });

  test('a token that the API server does not know is a login that has expired', async () => {
    const valid = cluster.kubeconfig('viewer');
    const path = `${valid}.expired`;
    writeFileSync(
      path,
      readFileSync(valid, 'utf8').replaceAll(cluster.token('viewer'), 'a-token-of-yesterday'),
    );
    const asking = await host(path);

    const { isError, text } = await asking.call('get_gpu_health');

    expect(isError).toBe(true);
    expect(text).toMatch(/^CLUSTER_UNAUTHORIZED: /);
    expect(text).not.toContain('a-token-of-yesterday');
    await asking.leave();
  });

  test('with --transport direct the pods are asked at their own addresses', async () => {
    const { port } = agents[0] ?? { port: 0 };
    await cluster.addNode({ name: 'node-3', labels: { 'nvidia.com/gpu.present': 'true' } });
    const labels = { 'k8s-gpu-mcp/agent': 'true', 'k8s-gpu-mcp/mode': 'http', road: 'direct', ...frozen };
    const pod = { name: 'agent-direct', namespace };
    await cluster.addAgentPod({ ...pod, node: 'node-3', daemonSet, labels, containerPort: port });
    await cluster.patchStatus(
      { apiVersion: 'v1', kind: 'Pod', ...pod },
      { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }] },
    );
    const flags = ['--transport', 'direct', '--selector', 'road=direct'];
    const asking = await host(cluster.kubeconfig('viewer'), ...flags);

    const { structured } = await asking.callAll('get_gpu_inventory', { detail: 'full', nodes: ['node-3'] });

    expect(structured).toMatchObject({ status: 'success', nodesTotal: 1, answered: 1 });
    expect(seenIn(structured)).toEqual([{ ...fleet.truths[0], node: 'node-3' }]);
    await asking.leave();
    await cluster.removeAgentPod(pod);
    await cluster.remove('node', 'node-3');
  });

  test('who sees one namespace, and no agent in it, is told that it was the only one searched', async () => {
    await cluster.addNamespace('empty');
    await cluster.apply(...rightsIn('empty', 'namespaced'));
    const asking = await host(cluster.kubeconfig('namespaced', 'empty'));

    const { isError, text } = await asking.call('get_gpu_inventory');

    expect(isError).toBe(true);
    expect(text).toMatch(
      /^NO_AGENTS: no agent pods .* in namespace empty, and nodes may not be listed\. Pods may not be listed in all namespaces, so only namespace empty .* --namespace NAME searches another\./,
    );
    await asking.leave();
  });

  test('agents in two namespaces: none is asked until one is named', async () => {
    await cluster.addNamespace('other');
    const other = await cluster.addDaemonSet({ name: 'agent', namespace: 'other' });
    const target = { address: '127.0.0.1', port: agents[0]?.port ?? 0 };
    const pod = { name: 'agent-other', namespace: 'other' };
    await cluster.addAgentPod({ ...pod, node: 'node-1', daemonSet: other, target });
    await cluster.waitForPods(['agent-other']);
    const asking = await host(cluster.kubeconfig('viewer'));
    const choosing = await host(cluster.kubeconfig('viewer'), '--namespace', namespace);

    const ambiguous = await asking.call('get_gpu_inventory');
    const named = await choosing.call('get_gpu_inventory');

    expect(ambiguous).toMatchObject({ isError: true });
    expect(ambiguous.text).toMatch(/^AGENTS_AMBIGUOUS: .*--namespace/);
    expect(named.structured).toMatchObject({ status: 'success', answered: 2 });
    await Promise.all([asking.leave(), choosing.leave()]);
    await cluster.removeAgentPod(pod);
    await cluster.remove('daemonset', 'agent', 'other');
  });

  test('one answer can be had from a terminal, with exit code 0 when all answered', async () => {
    const words = [bridgeEntry, 'call', 'get_gpu_health', 'nodes=node-1'];
    const env = { KUBECONFIG: cluster.kubeconfig('viewer') };

    const { stdout } = await promisify(execFile)(process.execPath, words, { env }); // rejects unless it ends with 0

    expect(stdout).toMatch(/^success: 1 of 1 node asked answered/);
  });
});

function rightsIn(where: string, user: string) {
  const subjects = [{ apiGroup: rbac, kind: 'User', name: user }];
  const metadata = { name: `${user}-sees`, namespace: where };
  return [
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [
        { apiGroups: [''], resources: ['pods', 'events'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: metadata.name },
      subjects,
    },
  ];
}
