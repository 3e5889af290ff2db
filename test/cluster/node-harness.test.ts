import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askByKubectl } from '../support/cluster/port-forward.ts';
import { outermostCgroups } from '../support/node/cgroups.ts';
import { type NodeCluster, startNodeCluster } from '../support/node/cluster.ts';
import { daemonSet, pod, runtimeClass, serving } from '../support/node/pods.ts';
import { ensureNodePrograms, whyNoNodeHere } from '../support/node/programs.ts';
import { descendants, remains } from '../support/node/remains.ts';

const skipped = whyNoNodeHere();
const namespace = 'pods';
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const scratch = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-test-'));
const logOf = (node: string) => join(scratch, `${node}.log`); // of its OCI runtime
const gpuLabel = 'nvidia.com/gpu.present';

describe.skipIf(skipped)(`real nodes ${skipped ?? ''}`, () => {
  let cluster: NodeCluster;
  let upMs: number;

  beforeAll(async () => {
    const { runc } = await ensureNodePrograms();
    const startedAt = performance.now();
    cluster = await startNodeCluster({
      nodes: [
        { name: 'gpu-1', labels: { [gpuLabel]: 'true' }, runtimes: { nvidia: logged('gpu-1', runc) } },
        {
          name: 'cpu-1',
          taints: [{ key: 'quarantine', effect: 'NoSchedule' }],
          runtimes: { logged: logged('cpu-1', runc) },
          defaultRuntime: 'logged',
        },
      ],
      users: ['viewer'],
    });
    upMs = performance.now() - startedAt;
    await cluster.addNamespace(namespace);
  }, buildMs);

  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true });
  });

  test('two nodes are Ready within half a minute, with their labels and taints', async () => {
    const { items } = JSON.parse(await cluster.kubectl('get', 'nodes', '--output=json'));

    expect(upMs).toBeLessThan(30_000);
    expect(items).toMatchObject([
      { metadata: { name: 'cpu-1' }, spec: { taints: [{ key: 'quarantine' }] } },
      { metadata: { name: 'gpu-1', labels: { [gpuLabel]: 'true' } } },
    ]);
  });

  test('a DaemonSet has a pod on each node that it selects, and it becomes Ready by its probes', async () => {
    const probed = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
    const container = { ...serving, readinessProbe: probed, livenessProbe: probed };
    await cluster.apply(
      daemonSet(
        { name: 'selective', namespace },
        { nodeSelector: { [gpuLabel]: 'true' }, containers: [container] },
      ),
    );

    const [only] = await cluster.waitForPods('app=selective', { namespace });

    expect(only?.spec.nodeName).toBe('gpu-1');
  });

  test('kubectl logs and exec reach a container, and a port-forward the server in its pod', async () => {
    await cluster.apply(
      pod({ name: 'spoken-to', namespace }, { containers: [{ ...serving, args: ['serve', '8080'] }] }),
    );
    await cluster.waitForPods('app=spoken-to', { namespace });

    const found = await cluster.inPod({ namespace, pod: 'spoken-to' }, '/probe', 'ls', '/');

    expect(found.split('\n')).toContain('probe');
    expect(await cluster.kubectl('logs', `--namespace=${namespace}`, 'spoken-to')).toBe(
      'listening on 8080\n',
    );
    expect(await askByKubectl(cluster, { user: 'admin', pod: 'spoken-to', namespace })).toBe('hello');
  });

  test('pods of two nodes reach each other, and this machine reaches both', async () => {
    const tolerant = { tolerations: [{ operator: 'Exists' }], containers: [serving] };
    await cluster.apply(daemonSet({ name: 'everywhere', namespace }, tolerant));
    const pods = await cluster.waitForPods('app=everywhere', { namespace, count: 2 });

    for (const { status } of pods) {
      const url = `http://${status.podIP}:8080`;
      expect(await text(url)).toBe('hello');
      for (const { metadata } of pods)
        expect(await cluster.inPod({ namespace, pod: metadata.name }, '/probe', 'get', url)).toBe(
          '200\nhello',
        );
    }
  });

  test('a pod is started by the runtime that its RuntimeClass names, or by the default of its node', async () => {
    await cluster.apply(runtimeClass('nvidia'));
    expect(existsSync(logOf('gpu-1'))).toBe(false);

    await cluster.apply(
      pod({ name: 'wrapped', namespace }, { runtimeClassName: 'nvidia', containers: [serving] }),
    );
    await cluster.waitForPods('app=wrapped', { namespace });

    expect(readFileSync(logOf('gpu-1'), 'utf8')).toContain('create');
    expect(readFileSync(logOf('cpu-1'), 'utf8')).toContain('create'); // the DaemonSet's
  });

  test('a device of the node is in a privileged pod only', async () => {
    await cluster.node('gpu-1').run('mknod', '/dev/nvidia0', 'c', '195', '0');
    const privileged = { ...serving, securityContext: { privileged: true } };
    await cluster.apply(
      pod({ name: 'with-devices', namespace }, { containers: [privileged] }),
      pod({ name: 'without', namespace }, { containers: [serving] }),
    );
    await cluster.waitForPods('app=with-devices', { namespace });
    await cluster.waitForPods('app=without', { namespace });

    const devices = (name: string) => cluster.inPod({ namespace, pod: name }, '/probe', 'ls', '/dev');

    expect(await devices('with-devices')).toContain('nvidia0');
    expect(await devices('without')).not.toContain('nvidia0');
    expect(existsSync('/dev/nvidia0')).toBe(false);
  });

  test('a container has a working set, and is killed at its limit', async () => {
    const limited = { resources: { limits: { memory: '64Mi' } } };
    await cluster.apply(
      pod({ name: 'small', namespace }, { containers: [{ ...serving, ...limited, args: ['eat', '32'] }] }),
    );
    await cluster.apply(
      pod({ name: 'greedy', namespace }, { containers: [{ ...serving, ...limited, args: ['eat', '128'] }] }),
    );
    const [small] = await cluster.waitForPods('app=small', { namespace });
    const id = small?.status.containerStatuses?.[0]?.containerID ?? '';

    const eaten = await cluster.waitFor('working set', async () => {
      const bytes = cluster.node('gpu-1').workingSetBytes(id) ?? 0;
      return bytes > 32 << 20 && bytes;
    });
    const state = await cluster.waitFor('OOM kill', async () => {
      const output = '--output=jsonpath={.status.containerStatuses[0].lastState.terminated.reason}';
      return cluster.kubectl('get', 'pod', 'greedy', `--namespace=${namespace}`, output);
    });

    expect(eaten).toBeLessThan(48 << 20);
    expect(state).toBe('OOMKilled');
  });

  test('Pod Security refuses a hostPath where the namespace asks for baseline, and the event says so', async () => {
    await cluster.addNamespace('guarded', { 'pod-security.kubernetes.io/enforce': 'baseline' });
    const volumes = [{ name: 'host', hostPath: { path: '/' } }];
    await cluster.apply(
      daemonSet({ name: 'refused', namespace: 'guarded' }, { containers: [serving], volumes }),
    );

    const message = await cluster.waitFor('FailedCreate', () =>
      cluster.kubectl(
        ...['get', 'events', '--namespace=guarded', '--field-selector=reason=FailedCreate'],
        '--output=jsonpath={.items[0].message}',
      ),
    );

    expect(message).toContain('violates PodSecurity "baseline:latest": hostPath volumes');
  });

  test('pods outlive their kubelet, whose sockets are where tests find them', async () => {
    const node = cluster.node('gpu-1');

    await node.stopKubelet();
    const survivors = await cluster.waitForPods('app=spoken-to', { namespace });
    await node.startKubelet();

    await cluster.apply(pod({ name: 'later', namespace }, { containers: [serving] }));
    await cluster.waitForPods('app=later', { namespace });

    expect(await text(`http://${survivors[0]?.status.podIP}:8080`)).toBe('hello');
    for (const socket of ['pod-resources/kubelet.sock', 'device-plugins/kubelet.sock'])
      expect(existsSync(join(node.kubeletFolder, socket))).toBe(true);
  });

  test('what never comes is told with the pods and their events', async () => {
    await cluster.apply(
      pod(
        { name: 'unpullable', namespace },
        { containers: [{ ...serving, image: 'nowhere.test/absent:1' }] },
      ),
    );

    const waited = cluster.waitForPods('app=unpullable', { namespace, limitMs: 4_000 });

    await expect(waited).rejects.toThrow(/no 1 Ready pods with app=unpullable .*ErrImageNeverPull/s);
  });

  test('stop leaves no process, mount, interface, cgroup or file', async () => {
    const processes = descendants(process.pid);
    const before = remains(cluster, processes);

    const startedAt = performance.now();
    await cluster.stop();

    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(before).toMatchObject({ interfaces: 1, cgroups: 1, files: 1 });
    expect(before.processes).toBeGreaterThan(20); // with those of pods
    expect(remains(cluster, processes)).toEqual({
      processes: 0,
      mounts: 0,
      interfaces: 0,
      cgroups: 0,
      files: 0,
    });
  });
});

test.skipIf(skipped)(
  'a failed start says what a program said, and leaves nothing',
  async () => {
    const start = startNodeCluster({ nodes: [{ name: 'broken', runtimes: { bad: '"\nnot = [toml' } }] });

    await expect(start).rejects.toThrow(/broken-containerd exited .*toml/s);
    const ours = `k8s-gpu-mcp-cluster-${process.pid}-`;
    expect([...outermostCgroups(), ...readdirSync(tmpdir())].filter((name) => name.startsWith(ours))).toEqual(
      [],
    );
    expect(descendants(process.pid)).toEqual([]);
  },
  buildMs,
);

async function text(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) });
  return response.text();
}

/** An OCI runtime that notes what it was asked for. */
function logged(node: string, runc: string): string {
  const path = join(scratch, node);
  writeFileSync(path, `#!/bin/sh\necho "$@" >>${logOf(node)}\nexec ${runc} "$@"\n`, { mode: 0o755 });
  return path;
}
