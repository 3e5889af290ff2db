import { execFileSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { runBridge } from '../support/bridge-process.ts';
import { namespace, release } from '../support/chart.ts';
import { upgradeStatus } from '../support/cluster/port-forward.ts';
import { type Host, host } from '../support/fleet/host.ts';
import { whyNoImage } from '../support/image.ts';
import {
  allGpus,
  type GpuCluster,
  gpuNodes,
  gpusIn,
  onNode,
  startGpuCluster,
} from '../support/node/gpu-cluster.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';

const skipped = whyNoNodeHere() ?? whyNoImage();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
/** A driver that is mounted, and nothing more. */
const mounted = {
  extraVolumes: [
    { name: 'library', hostPath: { path: `${onNode.driverRoot}/usr` } },
    { name: 'config', hostPath: { path: onNode.config } },
    { name: 'device', hostPath: { path: onNode.device, type: 'CharDevice' } },
  ],
  extraVolumeMounts: [
    { name: 'library', mountPath: '/run/nvidia/driver/usr' },
    { name: 'config', mountPath: onNode.config },
    { name: 'device', mountPath: onNode.device },
  ],
};

describe.skipIf(skipped)(`the chart on real nodes ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;
  let viewer: Host;
  let notes: string;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    notes = await cluster.release('install', {});
    viewer = await host(cluster.kubeconfig('viewer'));
  }, buildMs);

  afterAll(async () => {
    await viewer?.leave();
    await cluster?.stop();
  });

  const uuids = async () => {
    const { structured } = await viewer.callAll('get_gpu_inventory', { detail: 'full' });
    return gpusIn(structured);
  };

  test('one helm install: an agent on every GPU node, Ready by its probes, and none elsewhere', async () => {
    const pods = await cluster.agents();

    expect(Object.keys(pods).sort()).toEqual([...gpuNodes]);
    expect(notes).toContain('2 of 3 nodes match');
    expect(notes).not.toContain('WARNING');
  });

  test('a person with the two roles gets every GPU of every node, through real port-forwards', async () => {
    expect(await uuids()).toEqual(allGpus);
  });

  test('the command that helm prints works as it stands', async () => {
    const [, line = ''] = /npx -y k8s-gpu-mcp@\S+ (.*call get_gpu_health)/.exec(notes) ?? [];

    const { stdout, code } = await runBridge(onTestFinished, {
      args: line.split(' '),
      env: { KUBECONFIG: cluster.kubeconfig('viewer') },
    });

    expect(stdout).toContain('success: 2 of 2 GPU nodes answered');
    expect(code).toBe(0);
  });

  test('a viewer may forward to the agents, and to nothing in another namespace', async () => {
    const mayForward = (where: string) =>
      cluster
        .kubectl(
          'auth',
          'can-i',
          'create',
          'pods',
          '--subresource=portforward',
          '--as=viewer',
          `--namespace=${where}`,
        )
        .catch(() => 'no\n');

    expect(await mayForward(namespace)).toBe('yes\n');
    expect(await mayForward('kube-system')).toBe('no\n');
    expect(await mayForward('default')).toBe('no\n');

    const { 'gpu-1': agent } = await cluster.agents();
    const ofAgent = { namespace, pod: agent.metadata.name };
    const elsewhere = { namespace: 'default', pod: 'stranger' };
    await cluster.stranger('ls', '/'); // it runs
    expect(await upgradeStatus(cluster, { user: 'viewer', ...ofAgent })).toBe(101);
    expect(await upgradeStatus(cluster, { user: 'viewer', ...elsewhere })).toBe(403);
    expect(await upgradeStatus(cluster, { user: 'admin', ...elsewhere })).toBe(101);
  });

  test('from another pod nothing reaches /mcp; probes and metrics are all there is', async () => {
    const { 'gpu-1': agent } = await cluster.agents();
    const ask = cluster.stranger;

    await expect(ask('dial', `${agent.status.podIP}:8080`)).rejects.toThrow(/refused/);
    expect(await ask('get', `http://${agent.status.podIP}:8081/healthz`)).toMatch(/^200\n/);
    expect(await ask('get', `http://${agent.status.podIP}:8081/metrics`)).toContain(
      'k8s_gpu_mcp_driver_state{state="ok"} 1',
    );
    expect(await ask('get', `http://${agent.status.podIP}:8081/mcp`)).toMatch(/^404\n/);
  });

  test('kubectl exec … /agent --oneshot is answered by the agent that runs in the pod', async () => {
    const { 'gpu-1': agent } = await cluster.agents();
    const inits = () =>
      cluster.drivers['gpu-1'].calls().filter(({ symbol }) => symbol.startsWith('nvmlInit'));
    const before = inits().length;

    const answer = oneshotByKubectl(cluster, agent.metadata.name, 'get_gpu_inventory');

    expect(JSON.stringify(answer)).toContain('NVIDIA H100 80GB HBM3');
    expect(inits()).toHaveLength(before);
  });

  test('no pod of the chart carries a token of the API server, and none takes a GPU', async () => {
    const { 'gpu-1': agent } = await cluster.agents();
    const spec = JSON.parse(
      await cluster.kubectl('get', 'pod', agent.metadata.name, `--namespace=${namespace}`, '--output=json'),
    ).spec;

    expect(JSON.stringify(spec.volumes)).not.toContain('serviceAccountToken');
    expect(JSON.stringify(spec.containers[0].resources)).not.toContain('nvidia.com/gpu');
  });

  test('a device that is only mounted stays shut, and the answer names the mode to try', async () => {
    await cluster.release('upgrade', { gpuAccess: { runtimeClass: { name: '' } }, ...mounted });

    const { text } = await viewer.call('get_gpu_health');

    expect(text).toContain('gpuAccess.mode');
    expect(text).toMatch(/DRIVER_(ACCESS_DENIED|NOT_LOADED|FAILED)/);
  });

  test('hostDriver opens it: privileged, and the notes say so', async () => {
    const said = await cluster.release('upgrade', {
      gpuAccess: { mode: 'hostDriver', hostDriver: { root: onNode.driverRoot } },
      extraVolumes: [{ name: 'config', hostPath: { path: onNode.config } }],
      extraVolumeMounts: [{ name: 'config', mountPath: onNode.config }],
    });

    expect(said).toContain('PRIVILEGED');
    expect(await uuids()).toEqual(allGpus);
  });

  test('uninstalled, nothing of it is left', async () => {
    await cluster.helm('uninstall', release, `--namespace=${namespace}`, '--wait');

    const kinds =
      'daemonsets,pods,services,secrets,serviceaccounts,roles,rolebindings,networkpolicies,controllerrevisions';
    const left = () => cluster.kubectl('get', kinds, `--namespace=${namespace}`, '--output=name');
    const inNamespace = await cluster.waitFor('end of the pods', async () => {
      const names = await left();
      return names.includes('pod/') ? undefined : names;
    });
    const ofCluster = await cluster.kubectl('get', 'clusterroles,clusterrolebindings', '--output=name');

    expect(inNamespace.trim().split('\n')).toEqual(['serviceaccount/default']);
    expect(ofCluster).not.toContain(release);
  });
});

/** As a person at a terminal does it: one request on stdin, one answer on stdout. */
function oneshotByKubectl(cluster: GpuCluster, pod: string, tool: string): unknown {
  const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: {} } };
  const flags = [`--kubeconfig=${cluster.kubeconfig('admin')}`, `--namespace=${namespace}`];
  const command = ['exec', '-i', pod, '--', '/agent', '--oneshot=1'];
  const said = execFileSync(cluster.kubectlPath, [...flags, ...command], {
    input: `${JSON.stringify(request)}\n`,
  });
  return JSON.parse(said.toString());
}
