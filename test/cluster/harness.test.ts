import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { startControlPlane } from '../support/cluster/control-plane.ts';
import { frozen } from '../support/cluster/kwok.ts';
import { askByKubectl, upgradeStatus } from '../support/cluster/port-forward.ts';
import { ensurePrograms, type KubernetesVersion, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();
const namespace = 'gpu';
const buildMs = 30 * 60_000; // the first run on a machine builds the programs

vi.setConfig({ testTimeout: 120_000 });

/** Which verbs on `pods/portforward` a port-forward by websocket needs: 1.35 checks a second one. */
const allowed = {
  '1.34': { get: 101, create: 403, both: 101 },
  '1.35': { get: 403, create: 403, both: 101 },
} as const satisfies Record<KubernetesVersion, object>;

describe.skipIf(skipped).for(['1.34', '1.35'] as const)(`Kubernetes %s ${skipped ?? ''}`, (version) => {
  let cluster: Cluster;
  let agent: { name: string; uid: string };
  let listener: Server;

  beforeAll(async () => {
    await ensurePrograms(version);
    cluster = await startCluster({ version, users: ['get', 'create', 'both'] });
    listener = await listen('first');
    await cluster.addNamespace(namespace);
    await cluster.addNode({ name: 'node-1', capacity: { 'nvidia.com/gpu': 8 } });
    agent = await cluster.addDaemonSet({ name: 'agent', namespace });
    await addPod('agent-1', listener);
    await cluster.apply(...mayForward('get', ['get']), ...mayForward('create', ['create']));
    await cluster.apply(...mayForward('both', ['get', 'create']));
    await cluster.waitForPods(['agent-1']);
  }, buildMs);

  afterAll(async () => {
    listener?.close();
    await cluster?.stop();
  });

  const ask = (pod: string) => askByKubectl(cluster, { user: 'both', pod, namespace });

  async function addPod(name: string, target: Server): Promise<void> {
    await cluster.addAgentPod({
      name,
      namespace,
      node: 'node-1',
      daemonSet: agent,
      target: addressOf(target),
    });
  }

  test('it is the version asked for, with a Ready node that has GPUs', async () => {
    const { serverVersion } = JSON.parse(await cluster.kubectl('version', '--output=json'));
    const { status } = JSON.parse(await cluster.kubectl('get', 'node', 'node-1', '--output=json'));

    expect(`${serverVersion.major}.${serverVersion.minor}`).toBe(version);
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    expect(status.allocatable).toMatchObject({ 'nvidia.com/gpu': '8', cpu: '64' });
  });

  test('a port-forward by websocket needs the verbs that this version checks', async () => {
    const upgrade = (user: string) => upgradeStatus(cluster, { user, pod: 'agent-1', namespace });

    expect({
      get: await upgrade('get'),
      create: await upgrade('create'),
      both: await upgrade('both'),
    }).toEqual(allowed[version]);
    expect(await upgrade('stranger')).toBe(403);
  });

  test('kubectl port-forward ends in a listener of ours', async () => {
    expect(await ask('agent-1')).toBe('first');
  });

  test('a pod replaced under a new name is reachable, the old one is gone', async () => {
    const second = await listen('second');

    await cluster.removeAgentPod({ name: 'agent-1', namespace });
    await addPod('agent-2', second);
    await cluster.waitForPods(['agent-2']);

    expect(await ask('agent-2')).toBe('second');
    await expect(ask('agent-1')).rejects.toThrow('"agent-1" not found');
    second.close();
  });

  test('a running pod can be pointed at another listener', async () => {
    const third = await listen('third');

    await cluster.forward({ name: 'agent-2', namespace, target: addressOf(third) });

    expect(await ask('agent-2')).toBe('third');
    third.close();
  });

  test('a deleted pod stays terminating where its kubelet is frozen', async () => {
    await addPod('agent-3', listener);
    await cluster.waitForPods(['agent-3']);

    const here = `--namespace=${namespace}`;
    const labels = Object.entries(frozen).map(([name, value]) => `${name}=${value}`);
    await cluster.kubectl('label', 'pod', 'agent-3', here, ...labels);
    await cluster.kubectl('delete', 'pod', 'agent-3', here, '--wait=false');
    await sleep(500); // an unfrozen one is gone by then
    const pod = JSON.parse(await cluster.kubectl('get', 'pod', 'agent-3', here, '--output=json'));

    expect(pod).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: { phase: 'Running' },
    });
  });

  test('the status of a DaemonSet is what the test says', async () => {
    const ref = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', namespace };

    await cluster.patchStatus(ref, { desiredNumberScheduled: 7 });

    const here = `--namespace=${namespace}`;
    const status = await cluster.kubectl('get', 'daemonset', 'agent', here, '--output=jsonpath={.status}');
    expect(JSON.parse(status)).toMatchObject({ desiredNumberScheduled: 7 });
  });

  test('after a restart of the API server old pods are reachable at once, and new ones when they are Ready', async () => {
    await cluster.forward({ name: 'agent-2', namespace, target: addressOf(listener) });

    await cluster.restartApiServer();

    expect(await ask('agent-2')).toBe('first');
    await addPod('agent-4', listener);
    await cluster.waitForPods(['agent-2', 'agent-4']);
    expect(await ask('agent-4')).toBe('first');
  });

  test('stop leaves no process and no file', async () => {
    const folder = dirname(cluster.caPath);
    expect(ourProcesses(folder)).toHaveLength(3); // etcd, kube-apiserver, kwok

    await cluster.stop();

    expect(ourProcesses(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });
});

test.skipIf(skipped)(
  'a failed start says what the program said, and leaves nothing',
  async () => {
    const programs = await ensurePrograms('1.34');

    const start = startControlPlane({ ...programs, apiServer: programs.etcd }, []);

    await expect(start).rejects.toThrow(/kube-apiserver exited .*etcd-servers/s);
    expect(ourProcesses('k8s-gpu-mcp-cluster-')).toEqual([]);
  },
  buildMs,
);

async function listen(answer: string): Promise<Server> {
  const server = createServer((_, response) => response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function addressOf(server: Server): { address: string; port: number } {
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

/** kubectl reads the pod before it forwards, hence the first rule. */
function mayForward(user: string, verbs: string[]) {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const apiGroup = 'rbac.authorization.k8s.io';
  const metadata = { name: user, namespace };
  const rules = [
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    { apiGroups: [''], resources: ['pods/portforward'], verbs },
  ];
  const roleRef = { apiGroup, kind: 'Role', name: user };
  const subjects = [{ apiGroup, kind: 'User', name: user }];
  return [
    { apiVersion, kind: 'Role', metadata, rules },
    { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects },
  ];
}

/** Command lines of our live children that contain `text`, from the kernel's books and not from the harness's. */
function ourProcesses(text: string): string[] {
  const children = readdirSync('/proc').filter((entry) => parentOf(entry) === process.pid);
  return children
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    .filter((line) => line.includes(text));
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
