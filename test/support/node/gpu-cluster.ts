import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dataOf } from '../agent-client.ts';
import { chart, namespace, release } from '../chart.ts';
import { withPortForward } from '../cluster/port-forward.ts';
import { packImage } from '../image.ts';
import type { FakeGpu } from '../nvml/fake-config.ts';
import { h100 } from '../nvml/fake-nvml.ts';
import { type NodeCluster, startNodeCluster } from './cluster.ts';
import { deviceNode, type NvidiaRuntime, nvidiaRuntime } from './nvidia-runtime.ts';
import { pod, runtimeClass, serving } from './pods.ts';
import { ensureNodePrograms } from './programs.ts';
import type { Pod } from './waiting.ts';

export const gpuNodes = ['gpu-1', 'gpu-2'] as const;
export type GpuNode = (typeof gpuNodes)[number];

/** Two nodes with an NVIDIA driver (the C fake) and its container runtime, one without, and the agent's image on all. */
export interface GpuCluster extends NodeCluster {
  readonly drivers: Readonly<Record<GpuNode, NvidiaRuntime>>;
  /** `helm install` or `helm upgrade` of the chart, with values as an object; resolves to what Helm printed, NOTES among it. */
  release(verb: 'install' | 'upgrade', values: object, options?: ReleaseOptions): Promise<string>;
  /** The agents of a release, Ready, one on each GPU node. */
  agents(where?: string): Promise<Readonly<Record<GpuNode, Pod>>>;
  /** What the agent of one node answers in data: by its /mcp, which a viewer reaches by a real port-forward. */
  askAgent<T>(node: GpuNode, tool: string, args?: object): Promise<T>;
  /** What a pod of somebody else gets when it asks with `probe`. @throws Error with what it said */
  stranger(...command: string[]): Promise<string>;
}

export interface ReleaseOptions {
  readonly namespace?: string;
  readonly name?: string;
  /** Returns when all is Ready, as `helm --wait` does; true unless told. */
  readonly wait?: boolean;
}

/** Where a node has its driver, for containers that get it from the node and not from the runtime: as `nvidiaRuntime` says. */
export const onNode = {
  driverRoot: '/run/test-driver',
  config: '/run/fake-nvml',
  device: deviceNode,
} as const;

/** What every test sets: the user who asks, and samples that come often. */
export const usual = {
  access: { viewers: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'viewer' }] },
  agent: { sampleInterval: '500ms' },
};

/** The GPUs of a node: no two of the cluster are alike. */
export function gpusOf(node: GpuNode): FakeGpu[] {
  return [0, 1].map((index) =>
    h100(index, {
      uuid: `GPU-00000000-0000-4000-8000-${`${gpuNodes.indexOf(node)}${index}`.padStart(12, '0')}`,
      temperatureC: 30 + index,
    }),
  );
}

/** What an inventory with `detail=full` says that there is: each node with each UUID. */
export function gpusIn(structured: unknown): string[] {
  const { rows = [] } = structured as { rows?: readonly { node: string; gpu?: { uuid?: string } }[] };
  return rows.flatMap(({ node, gpu }) => (gpu?.uuid === undefined ? [] : [`${node} ${gpu.uuid}`])).sort();
}

export const allGpus = gpuNodes.flatMap((node) => gpusOf(node).map(({ uuid }) => `${node} ${uuid}`));

/** @throws Error with what is missing; nothing stays behind then */
export async function startGpuCluster(): Promise<GpuCluster> {
  const { runc } = await ensureNodePrograms();
  const folder = mkdtempSync(join(tmpdir(), 'gpu-cluster-'));
  const drivers = Object.fromEntries(
    gpuNodes.map((name) => {
      const driver = nvidiaRuntime(join(folder, name), runc);
      driver.write({ gpus: gpusOf(name) });
      return [name, driver];
    }),
  ) as Record<GpuNode, NvidiaRuntime>;
  const cluster = await startNodeCluster({
    nodes: [
      ...gpuNodes.map((name) => ({
        name,
        labels: { 'nvidia.com/gpu.present': 'true', 'kubernetes.io/os': 'linux' },
        runtimes: { nvidia: drivers[name].program },
      })),
      { name: 'cpu-1', labels: { 'kubernetes.io/os': 'linux' } },
    ],
    users: ['viewer'],
  });
  const stop = async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const name of gpuNodes) await putOnNode(cluster, name, drivers[name]);
    const archive = join(folder, 'image.tar');
    const packed = packImage(['--arch', 'amd64', '--output', archive]);
    if (packed.status !== 0) throw new Error(packed.stderr);
    await cluster.importImage(archive);
    await cluster.apply(runtimeClass('nvidia'));
  } catch (cause) {
    await stop();
    throw cause;
  }
  const released = releases(cluster);
  return {
    ...{ ...cluster, drivers, stop, ...released, stranger: strangerIn(cluster) },
    askAgent: async <T>(node: GpuNode, tool: string, args: object = {}) => {
      const { [node]: agent } = await released.agents();
      const asking = { user: 'viewer', pod: agent.metadata.name, namespace };
      return (await withPortForward(cluster, asking, (url) => dataOf(`${url}/mcp`, tool, args))) as T;
    },
  };
}

async function putOnNode(cluster: NodeCluster, name: GpuNode, driver: NvidiaRuntime): Promise<void> {
  const { run } = cluster.node(name);
  for (const [from, to] of [
    [driver.driverRoot, onNode.driverRoot],
    [driver.configFolder, onNode.config],
  ] as const) {
    await run('mkdir', '-p', to);
    await run('mount', '--bind', from, to);
  }
  await run('cp', '-a', join(driver.driverRoot, onNode.device), onNode.device);
}

function releases(cluster: NodeCluster): Pick<GpuCluster, 'release' | 'agents'> {
  return {
    release: (verb, values, { namespace: where = namespace, name = release, wait = true } = {}) => {
      const all = Object.entries({ ...usual, ...values }).flatMap(([key, value]) => [
        '--set-json',
        `${key}=${JSON.stringify(value)}`,
      ]);
      const waiting = wait ? ['--wait', '--timeout', '90s'] : [];
      const creating = verb === 'install' ? ['--create-namespace'] : [];
      return cluster.helm(verb, name, chart, `--namespace=${where}`, ...creating, ...waiting, ...all);
    },
    async agents(where = namespace) {
      const options = { namespace: where, count: gpuNodes.length, limitMs: 90_000 };
      const pods = await cluster.waitForPods('k8s-gpu-mcp/agent=true', options);
      return Object.fromEntries(pods.map((pod) => [pod.spec.nodeName, pod])) as Record<GpuNode, Pod>;
    },
  };
}

function strangerIn(cluster: NodeCluster): GpuCluster['stranger'] {
  const where = { namespace: 'default', pod: 'stranger' };
  const start = async () => {
    await cluster.addNamespace(where.namespace);
    await cluster.apply(pod({ ...where, name: where.pod }, { containers: [serving] }));
    await cluster.waitForPods(`app=${where.pod}`, { namespace: where.namespace });
  };
  let started: Promise<void> | undefined;
  return async (...command) => {
    started ??= start();
    await started;
    return cluster.inPod(where, '/probe', ...command);
  };
}
