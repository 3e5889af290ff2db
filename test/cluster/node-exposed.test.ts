import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { runBridge } from '../support/bridge-process.ts';
import { namespace, release } from '../support/chart.ts';
import { whyNoImage } from '../support/image.ts';
import { startDevicePlugin } from '../support/node/device-plugin.ts';
import { type GpuCluster, gpuNodes, gpusOf, startGpuCluster, usual } from '../support/node/gpu-cluster.ts';
import { pod, serving } from '../support/node/pods.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';
import { certificateFor } from '../support/tls-files.ts';

const skipped = whyNoNodeHere() ?? whyNoImage();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const guarded = 'guarded';
const token = 'a-token-of-more-than-16-characters';
const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });

describe.skipIf(skipped)(`the chart's other ways on real nodes ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    await cluster.addNamespace(namespace);
    await cluster.kubectl(
      'create',
      'secret',
      'generic',
      'my-token',
      `--from-literal=token=${token}`,
      inNamespace,
    );
    await certificate('first');
    await cluster.release('install', {
      expose: {
        enabled: true,
        existingSecret: 'my-token',
        tls: { secretName: 'my-certificate' },
        from: [{ namespaceSelector: {} }],
      },
    });
  }, buildMs);

  afterAll(async () => await cluster?.stop());

  const inNamespace = `--namespace=${namespace}`;
  const file = (name: string) => join(cluster.folder, name);

  /** Signed by itself, for the name that the bridge expects, in the Secret that the pods mount. */
  async function certificate(name: string): Promise<void> {
    const { cert, private: key } = await certificateFor(name, `${release}.${namespace}.svc`);
    writeFileSync(file(`${name}.crt`), cert);
    writeFileSync(file(`${name}.key`), key);
    const made = await cluster.kubectl(
      ...['create', 'secret', 'tls', 'my-certificate', `--cert=${file(`${name}.crt`)}`],
      ...[`--key=${file(`${name}.key`)}`, inNamespace, '--dry-run=client', '--output=json'],
    );
    await cluster.apply(JSON.parse(made));
  }

  const podIp = async () => (await cluster.agents())['gpu-1'].status.podIP ?? '';

  test('exposed, the pod network gets in by TLS and with the token only', async () => {
    const url = `${await podIp()}:8080/mcp`;

    expect(await cluster.stranger('get', `https://${url}`, token, list)).toMatch(/^200\n.*get_gpu_health/s);
    expect(await cluster.stranger('get', `https://${url}`, '', list)).toMatch(/^401\n/);
    expect(await cluster.stranger('get', `https://${url}`, `${token}x`, list)).toMatch(/^401\n/);
    await expect(cluster.stranger('get', `http://${url}`, token, list)).rejects.toThrow();
  });

  test('who may port-forward needs neither', async () => {
    const { stdout } = await bridge('viewer', 'call', 'get_gpu_health');

    expect(stdout).toContain('success: 2 of 2 GPU nodes answered');
  });

  const bridge = (user: string, ...args: string[]) =>
    runBridge(onTestFinished, { args, env: { KUBECONFIG: cluster.kubeconfig(user) } });

  const direct = async (ca: string) => {
    writeFileSync(file('token'), token);
    const where = ['--namespace', namespace, '--transport', 'direct', '--token-file', file('token')];
    const env = { KUBECONFIG: cluster.kubeconfig('viewer'), NODE_EXTRA_CA_CERTS: file(`${ca}.crt`) };
    return runBridge(onTestFinished, { args: [...where, 'call', 'get_gpu_health'], env });
  };

  test('the bridge goes to the pods directly, and believes only who signed their certificate', async () => {
    copyFileSync(file('first.crt'), file('trusted.crt'));

    expect((await direct('trusted')).stdout).toContain('success: 2 of 2 GPU nodes answered');

    writeFileSync(file('other.crt'), readFileSync(cluster.caPath));
    const { stdout, code } = await direct('other');
    expect(code).toBe(1);
    expect(stdout).toContain('NODE_EXTRA_CA_CERTS');
  });

  test('a certificate that is replaced is used without a restart', async () => {
    const before = await cluster.agents();
    const names = () => Promise.all(gpuNodes.map((node) => presented(before[node].status.podIP ?? '')));
    expect(await names()).toEqual(['first', 'first']);

    await certificate('second');
    const replaced = async () => (await names()).every((name) => name === 'second');
    await cluster.waitFor('new certificate', replaced, 110_000);

    const after = await cluster.agents();
    expect(after['gpu-1'].metadata.uid).toBe(before['gpu-1'].metadata.uid);
    expect((await direct('second')).stdout).toContain('success: 2 of 2 GPU nodes answered');
  });

  test('Pod Security baseline refuses the default pods, and the bridge says so in its words', async () => {
    await cluster.helm('uninstall', release, inNamespace, '--wait');
    await cluster.addNamespace(guarded, { 'pod-security.kubernetes.io/enforce': 'baseline' });
    await cluster.release('install', {}, { namespace: guarded, wait: false });

    const text = await cluster.waitFor('refusal', async () => {
      const { stdout, stderr } = await bridge('viewer', '--namespace', guarded, 'call', 'get_gpu_health');
      return (stdout + stderr).includes('violates PodSecurity') && stdout + stderr;
    });

    expect(text).toContain('violates PodSecurity "baseline:latest"');
    expect(text).toContain('wants 2, has 0');
    expect(text).toContain('kubectl label namespace guarded pod-security.kubernetes.io/enforce=privileged');
  });

  test('with the three values off the same namespace takes them, as another user than root', async () => {
    const off = { enabled: false };
    await cluster.release(
      'upgrade',
      { kernelLog: off, podResources: off, hostPID: off },
      { namespace: guarded },
    );

    const { 'gpu-1': agent } = await cluster.agents(guarded);
    const { stdout } = await bridge('viewer', '--namespace', guarded, 'call', 'get_gpu_health');

    const spec = await cluster.kubectl(
      ...['get', 'pod', agent.metadata.name, `--namespace=${guarded}`, '--output=json'],
    );
    expect(JSON.parse(spec).spec.containers[0].securityContext).toMatchObject({ runAsNonRoot: true });
    expect(stdout).toContain('success: 2 of 2 GPU nodes answered');
    await cluster.helm('uninstall', release, `--namespace=${guarded}`, '--wait');
  });

  test('metrics name the pod to which the kubelet gave a GPU, under the names of dcgm-exporter', async () => {
    await cluster.release('install', { metrics: { gpu: true }, agent: usual.agent });
    const [first, second] = gpusOf('gpu-1').map(({ uuid }) => uuid ?? '');
    const plugin = await startDevicePlugin({
      folder: join(cluster.node('gpu-1').kubeletFolder, 'device-plugins'),
      devices: [{ id: first ?? '', healthy: true }],
    });
    onTestFinished(() => plugin.stop());
    await cluster.apply(trainer);
    await cluster.waitForPods('app=trainer', { namespace: 'default' });

    const metrics = await cluster.waitFor('pod label', async () => {
      const text = await cluster.stranger('get', `http://${await podIp()}:8081/metrics`);
      return text.includes('pod="trainer"') && text;
    });

    const temperatures = metrics.split('\n').filter((line) => line.startsWith('DCGM_FI_DEV_GPU_TEMP{'));
    const ofFirst = temperatures.find((line) => line.includes(`UUID="${first}"`));
    expect(temperatures).toHaveLength(2);
    expect(ofFirst).toMatch(/namespace="default"/);
    expect(ofFirst).toMatch(/ 30$/);
    expect(temperatures.find((line) => line.includes(`UUID="${second}"`))).not.toContain('trainer');
    expect(metrics).toMatch(/^DCGM_FI_DEV_XID_ERRORS\{.*\} 0$/m); // so the kernel log could be read
  });
});

/** The common name of the certificate that is presented there. */
function presented(address: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 8080, rejectUnauthorized: false }, () => {
      const { subject } = socket.getPeerCertificate();
      socket.end();
      resolve(subject.CN?.toString());
    });
    socket.once('error', reject);
  });
}

const trainer = pod(
  { name: 'trainer', namespace: 'default' },
  {
    nodeName: 'gpu-1',
    containers: [{ ...serving, resources: { limits: { 'nvidia.com/gpu': '1' } } }],
  },
);
