import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { runBridge } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { namespace, release } from '../support/chart.ts';
import { onPath } from '../support/cluster/programs.ts';
import { whyNoImage } from '../support/image.ts';
import { type GpuCluster, gpuNodes, startGpuCluster } from '../support/node/gpu-cluster.ts';
import { pod, serving } from '../support/node/pods.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';
import { startServices, whyNoServicesHere } from '../support/node/services.ts';
import { printedCommand } from '../support/printed.ts';
import { certificateFor } from '../support/tls-files.ts';

const whyNoCurl = () => (onPath('curl') ? undefined : 'the printed commands need curl on PATH');
const skipped = whyNoNodeHere() ?? whyNoImage() ?? whyNoCurl() ?? whyNoServicesHere();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const client = { name: 'client', namespace: 'default' };
const host = `${release}.${namespace}.svc`;
const expose = {
  enabled: true,
  generateSecret: true,
  insecurePlaintext: true,
  from: [{ namespaceSelector: {}, podSelector: { matchLabels: { asks: 'gpus' } } }],
};

/** The commands of the notes are run as they stand; only what a person has on PATH is put in place. */
describe.skipIf(skipped)(`what is exposed, through its Service ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;
  let notes: string;
  let clientFolder: string;
  let clientProcess: number;
  let serviceAddress: string;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    await startServices(cluster, { clients: ['cpu-1'], servers: gpuNodes });
    notes = await cluster.release('install', { expose });
    await cluster.addNamespace(client.namespace);
    await cluster.apply(pod(client, { nodeName: 'cpu-1', containers: [serving] }));
    const [started] = await cluster.waitForPods(`app=${client.name}`, client);
    const id = started?.status.containerStatuses?.[0]?.containerID ?? '';
    clientFolder = join(cluster.folder, client.name);
    mkdirSync(clientFolder);
    clientProcess = cluster.node('cpu-1').processes(id)[0] ?? 0;
    const address = '--output=jsonpath={.spec.clusterIP}';
    serviceAddress = await cluster.kubectl('get', 'service', release, inNamespace, address);
    await readToken();
    await label('asks=gpus');
    await comesTo(200);
  }, buildMs);

  afterAll(async () => await cluster?.stop());

  const inNamespace = `--namespace=${namespace}`;
  const label = (...labels: string[]) =>
    cluster.kubectl('label', 'pod', client.name, '--namespace=default', '--overwrite', ...labels);

  /** Runs a command with the network of the pod `client`. There is no DNS: curl is told the Service's address. */
  async function inClient(command: string, user = 'admin'): Promise<string> {
    const script = [
      'set -euo pipefail',
      'kubectl() { "$KUBECTL" "$@"; }',
      `curl() { command curl --silent --show-error --max-time 5 --write-out '\\n%{http_code}' --resolve "$RESOLVE" "$@"; }`,
      'npx() { shift 2; "$NODE" "$BRIDGE" "$@"; }',
      command,
    ].join('\n');
    const environment = {
      PATH: process.env['PATH'],
      KUBECONFIG: cluster.kubeconfig(user),
      KUBECTL: cluster.kubectlPath,
      RESOLVE: `${host}:8080:${serviceAddress}`,
      NODE: process.execPath,
      BRIDGE: bridgeEntry,
    };
    const inItsNetwork = ['--target', `${clientProcess}`, '--net', '--', 'bash', '--norc', '-c', script];
    const { stdout } = await promisify(execFile)('nsenter', inItsNetwork, {
      cwd: clientFolder,
      env: environment,
    });
    return stdout;
  }

  const readToken = () => inClient(`${printedCommand(notes, 'get secret')}\ncat token`);
  const file = (name: string, content: string) => writeFileSync(join(clientFolder, name), content);
  /** Status 0 where no connection came about. */
  async function curl(command = printedCommand(notes, 'curl')): Promise<{ status: number; body: string }> {
    const lines = (await inClient(`${command} || true`)).split('\n');
    return { status: Number(lines.at(-1)), body: lines.slice(0, -1).join('\n') };
  }
  /** Waits until the proxy, or the enforcer, has noticed. */
  const comesTo = (status: number) =>
    cluster.waitFor(`HTTP ${status}`, async () => (await curl()).status === status);
  const direct = () => inClient(printedCommand(notes, '--transport direct'), 'viewer');

  test('the printed commands read the generated token, and with it the agents answer', async () => {
    const agents = Object.values(await cluster.agents());

    expect(await readToken()).toMatch(/^[A-Za-z0-9]{48}$/);
    expect(await curl()).toMatchObject({ status: 200, body: expect.stringContaining('get_gpu_health') });
    expect(await direct()).toContain('success: 2 of 2 GPU nodes answered');
    const slices = ['get', 'endpointslices', inNamespace];
    const behind = await cluster.kubectl(
      ...slices,
      '--output=jsonpath={.items[*].endpoints[*].addresses[0]}',
    );
    expect(behind.split(' ').sort()).toEqual(agents.map(({ status }) => status.podIP).sort());
  });

  test('without the token, and with another one, they do not', async () => {
    const token = await readToken();

    for (const wrong of ['', `${token}x`]) {
      file('token', wrong);
      expect(await curl()).toMatchObject({
        status: 401,
        body: expect.not.stringContaining('get_gpu_health'),
      });
    }
  });

  test('an upgrade keeps the token', async () => {
    const before = await readToken();

    notes = await cluster.release('upgrade', { expose, podLabels: { turn: 'two' } });

    expect(await readToken()).toBe(before);
    await comesTo(200);
  });

  test('a pod that expose.from does not name is kept out of /mcp, and of nothing else', async () => {
    const { 'gpu-1': agent } = await cluster.agents(); // Ready, although nothing names the kubelet

    await label('asks-');
    await comesTo(0);

    const healthz = `curl http://${agent.status.podIP}:8081/healthz`;
    expect(await curl(healthz)).toMatchObject({ status: 200 });
    const viewer = { args: ['call', 'get_gpu_health'], env: { KUBECONFIG: cluster.kubeconfig('viewer') } };
    const { stdout } = await runBridge(onTestFinished, viewer);
    expect(stdout).toContain('success: 2 of 2 GPU nodes answered');
    await label('asks=gpus');
    await comesTo(200);
  });

  test('by TLS the printed commands believe who signed the certificate, and nobody else', async () => {
    const [used, other] = [await certificateFor('used', host), await certificateFor('other', host)];
    await cluster.apply({
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls' },
      metadata: { name: 'my-certificate', namespace },
      stringData: { 'tls.crt': used.cert, 'tls.key': used.private },
    });
    notes = await cluster.release('upgrade', {
      expose: { ...expose, insecurePlaintext: false, tls: { secretName: 'my-certificate' } },
    });
    await readToken();

    file('ca.crt', used.cert);
    await comesTo(200);
    expect(await direct()).toContain('success: 2 of 2 GPU nodes answered');

    file('ca.crt', other.cert);
    await expect(inClient(printedCommand(notes, 'curl'))).rejects.toThrow('SSL certificate');
    await expect(direct()).rejects.toThrow();
  });

  test('uninstalled, nothing is left of it but what was there before', async () => {
    await cluster.helm('uninstall', release, inNamespace, '--wait');

    const kinds = 'services,secrets,networkpolicies';
    const left = await cluster.kubectl('get', kinds, inNamespace, '--output=name');
    expect(left).toBe('secret/my-certificate\n');
  });
});
