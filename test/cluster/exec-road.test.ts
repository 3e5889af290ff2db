import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { execIn, putAgentInPlace, whyNoExecHere } from '../support/cluster/exec.ts';
import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';
import { rolesFromReadme } from '../support/cluster/viewer.ts';
import { host } from '../support/fleet/host.ts';
import { type RunningAgent, simulatedAgent } from '../support/fleet/simulated-agent.ts';

const skipped = whyNotHere() ?? whyNoExecHere();
const namespace = 'gpu-mcp';
const rbac = 'rbac.authorization.k8s.io';
const stdio = { 'k8s-gpu-mcp/agent': 'true', 'k8s-gpu-mcp/mode': 'stdio' };

/** Each node has as many GPUs as the number in its name. */
const scenario = JSON.stringify({
  nodes: [1, 2, 3].map((count) => ({ name: `node-${count}`, gpus: [{ model: 'H100', count }] })),
});

/** Real execs: through the API server, by SPDY to what plays the kubelet, into the compiled agent. */
describe.skipIf(skipped).for(['1.34', '1.35'] as const)(`Kubernetes %s ${skipped ?? ''}`, (version) => {
  const folder = mkdtempSync(join(tmpdir(), 'exec-road-'));
  const scenarioFile = join(folder, 'scenario.json');
  let cluster: Cluster;
  let daemonSet: { readonly name: string; readonly uid: string };
  let http: RunningAgent;
  let takeAway = () => {};

  beforeAll(async () => {
    await ensurePrograms(version);
    takeAway = putAgentInPlace();
    writeFileSync(scenarioFile, scenario);
    cluster = await startCluster({ version });
    await cluster.addNamespace(namespace);
    await cluster.apply(...rolesFromReadme('viewer', namespace), ...mayExec('viewer'));
    daemonSet = await cluster.addDaemonSet({ name: 'agent', namespace });
    for (const node of ['node-1', 'node-2', 'node-3']) {
      await cluster.addNode({ name: node, labels: { 'nvidia.com/gpu.present': 'true' } });
      await cluster.apply(execIn({ name: `agent-${node}`, namespace }, variables(node)));
    }
    for (const node of ['node-1', 'node-2'])
      await cluster.addAgentPod({ name: `agent-${node}`, node, namespace, daemonSet, labels: stdio });
    http = await simulatedAgent(parseScenario(scenario, 'scenario.json'), 'node-3');
    const target = { address: '127.0.0.1', port: http.port };
    await cluster.addAgentPod({ name: 'agent-node-3', node: 'node-3', namespace, daemonSet, target });
    await cluster.waitForPods(['agent-node-1', 'agent-node-2', 'agent-node-3']);
  });

  afterAll(async () => {
    takeAway();
    await http?.stop();
    await cluster?.stop();
    rmSync(folder, { recursive: true });
  });

  const variables = (node: string) => ({
    NODE_NAME: node,
    K8S_GPU_MCP_NVML_MODE: 'simulated',
    K8S_GPU_MCP_SCENARIO: scenarioFile,
  });

  test.for([[[]], [['--transport', 'exec']]])(
    'pods in stdio mode are asked by exec, beside one that is forwarded to, with flags %j',
    async ([flags = []]) => {
      const asking = await host(cluster.kubeconfig('viewer'), ...flags);

      const { structured } = await asking.callAll('get_gpu_inventory', { detail: 'full' });

      expect(structured).toMatchObject({ status: 'success', nodesTotal: 3, answered: 3, failed: [] });
      expect(gpusPerNode(structured.rows ?? [])).toEqual({ 'node-1': 1, 'node-2': 2, 'node-3': 3 });
      await asking.leave();
    },
  );

  test('without the right to exec the answer says which one is lacking, and carries the others’ data', async () => {
    const lacking = version === '1.34' ? 'get' : 'create';
    await cluster.apply(...rolesFromReadme('namespaced', namespace));
    if (lacking === 'create') await cluster.apply(...mayExec('namespaced', ['get'])); // 1.35 asks for both
    const asking = await host(cluster.kubeconfig('namespaced'));

    const { structured, text } = await asking.callAll('get_gpu_inventory', { detail: 'full' });

    expect(structured.failed.map(({ node, code }) => ({ node, code }))).toEqual([
      { node: 'node-1', code: 'CLUSTER_FORBIDDEN' },
      { node: 'node-2', code: 'CLUSTER_FORBIDDEN' },
    ]);
    expect(gpusPerNode(structured.rows ?? [])).toEqual({ 'node-3': 3 });
    expect(text).toContain(`kubectl auth can-i ${lacking} pods --subresource=exec -n ${namespace}`);
    await asking.leave();
    await cluster.apply(...rolesFromReadme('viewer', namespace));
  });

  test('an agent that refuses to run is named with its own words', async () => {
    const wrong = { ...variables('node-2'), K8S_GPU_MCP_SCENARIO: join(folder, 'none.json') };
    await cluster.apply(execIn({ name: 'agent-node-2', namespace }, wrong));
    const asking = await host(cluster.kubeconfig('viewer'));

    // A kubelet tells the exit code, kwok only says so in words; what the agent wrote on stderr is there with both.
    await expect
      .poll(async () => (await asking.call('get_gpu_health')).text, { timeout: 20_000 })
      .toMatch(
        /NO ANSWER from node-2: NODE_[A-Z_]+: .* exit (code|status) 2: agent: .*none\.json cannot be read/,
      );

    await asking.leave();
  });
});

function mayExec(user: string, verbs = ['get', 'create']) {
  const metadata = { name: `${user}-execs`, namespace };
  const rules = [{ apiGroups: [''], resources: ['pods/exec'], verbs }];
  const roleRef = { apiGroup: rbac, kind: 'Role', name: metadata.name };
  const subjects = [{ apiGroup: rbac, kind: 'User', name: user }];
  return [
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules },
    { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
  ];
}

function gpusPerNode(rows: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { node, gpu } of rows as { node?: string; gpu?: object }[])
    if (node && gpu) counts[node] = (counts[node] ?? 0) + 1;
  return counts;
}
