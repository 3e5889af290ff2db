import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { whyNoImage } from '../support/image.ts';
import { type DevicePlugin, startDevicePlugin } from '../support/node/device-plugin.ts';
import { type GpuCluster, type GpuNode, gpusOf, startGpuCluster } from '../support/node/gpu-cluster.ts';
import { pod, serving } from '../support/node/pods.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';
import type { Pod } from '../support/node/waiting.ts';

const skipped = whyNoNodeHere() ?? whyNoImage();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const gibibyte = 2 ** 30;

const trainer = { namespace: 'research', pod: 'trainer', container: 'learns' };
const server = { namespace: 'inference', pod: 'server', container: 'answers' };
const without = { namespace: 'inference', pod: 'without-gpu', container: 'waits' };
type Place = typeof trainer;

/** UUID → who has that GPU. */
type Holders = Readonly<Record<string, readonly Place[]>>;

interface Answer {
  readonly podResources: object;
  readonly gpus: readonly {
    readonly uuid: string;
    readonly holders: readonly Place[];
    readonly offered: boolean | null;
    readonly processes: readonly object[] | null;
  }[];
}

/** What is expected is the device plugin's record, what containers were told, and the API server's: never the agent's own. */
describe.skipIf(skipped)(`who has which GPU on real nodes ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;
  let plugin: DevicePlugin;
  let given: string; // to the trainer
  let spare: string;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    await cluster.release('install', { hostPID: { enabled: true } });
    const uuids = uuidsOf('gpu-1');
    plugin = await startDevicePlugin({
      folder: join(cluster.node('gpu-1').kubeletFolder, 'device-plugins'),
      devices: uuids.map((id) => ({ id, healthy: true })),
    });
    for (const { namespace } of [trainer, server]) await cluster.addNamespace(namespace);
    await start(trainer, { gpus: 1 });
    given = await givenTo(trainer);
    spare = uuids.find((uuid) => uuid !== given) ?? '';
  }, buildMs);

  afterAll(async () => {
    await plugin?.stop();
    await cluster?.stop();
  });

  /** Starts a pod where GPUs are to be had. */
  async function start({ namespace, pod: name, container }: Place, { gpus = 0 } = {}): Promise<Pod> {
    const placed = gpus > 0 ? {} : { nodeName: 'gpu-1' };
    const resources = gpus > 0 ? { limits: { 'nvidia.com/gpu': `${gpus}` } } : {};
    await cluster.apply(
      pod({ name, namespace }, { ...placed, containers: [{ ...serving, name: container, resources }] }),
    );
    return one(await cluster.waitForPods(`app=${name}`, { namespace }));
  }

  async function givenTo({ namespace, pod }: Place): Promise<string> {
    const environment = await cluster.inPod({ namespace, pod }, '/probe', 'cat', '/proc/1/environ');
    return /(?:^|\0)NVIDIA_VISIBLE_DEVICES=([^\0]*)/.exec(environment)?.[1] ?? '';
  }

  const processesOn = (node: GpuNode) => cluster.askAgent<Answer>(node, 'get_gpu_processes');

  /** Waits, for the agent asks the kubelet in turns. */
  const comesToBeHeld = (expected: Holders) =>
    cluster.waitFor(
      'those holders',
      async () => {
        expect(holdersIn(await processesOn('gpu-1'))).toEqual(expected);
        return true;
      },
      15_000,
    );

  test('the pod to which the kubelet gave a GPU is told as its holder, and nobody as that of any other', async () => {
    expect(plugin.allocated).toEqual([[given]]);

    await comesToBeHeld({ [given]: [trainer], [spare]: [] });

    const elsewhere = await processesOn('gpu-2');
    expect(elsewhere.podResources).toMatchObject({ readable: true, reason: null });
    expect(holdersIn(elsewhere)).toEqual(Object.fromEntries(uuidsOf('gpu-2').map((uuid) => [uuid, []])));
  });

  test('a process that the driver lists is told with its container and pod, and by the pod that has the GPU where one has it', async () => {
    const trains = containerOf(cluster, await start(trainer, { gpus: 1 }));
    const waits = containerOf(cluster, await start(without));
    const listed = { [given]: trains, [spare]: waits };
    cluster.drivers['gpu-1'].write({
      gpus: gpusOf('gpu-1').map((gpu) => {
        const { pid = 0 } = listed[`${gpu.uuid}`] ?? {};
        return { ...gpu, processes: [{ pid, usedBytes: 3 * gibibyte }] };
      }),
    });
    onTestFinished(() => cluster.drivers['gpu-1'].write({ gpus: gpusOf('gpu-1') }));

    const { gpus } = await cluster.waitFor('processes', async () => {
      const answer = await processesOn('gpu-1');
      return answer.gpus.every(({ processes }) => processes?.length === 1) && answer;
    });

    const told = Object.fromEntries(gpus.map(({ uuid, processes }) => [uuid, one(processes ?? [])]));
    expect(told[given]).toMatchObject({ ...trains, attribution: 'device', holders: [trainer] });
    expect(told[spare]).toMatchObject({ ...waits, attribution: 'container', holders: [] });
  });

  test('a GPU that its device plugin takes for unhealthy is told as not to be had; where there is no plugin nothing is', async () => {
    const offer = (healthy: (uuid: string) => boolean) =>
      plugin.offer(uuidsOf('gpu-1').map((id) => ({ id, healthy: healthy(id) })));
    const offered = async (node: GpuNode) => {
      const { gpus } = await processesOn(node);
      return Object.fromEntries(gpus.map((gpu) => [gpu.uuid, gpu.offered]));
    };
    const comesTo = (sick: boolean) =>
      cluster.waitFor(
        'health',
        async () => {
          expect(await offered('gpu-1')).toEqual({ [given]: !sick, [spare]: true });
          return true;
        },
        15_000,
      );
    await comesTo(false);

    offer((uuid) => uuid !== given);

    await comesTo(true);
    expect(Object.values(await offered('gpu-2'))).toEqual([null, null]);
    offer(() => true);
    await comesTo(false);
  });

  test('each of two pods is told as the holder of its own GPU, until it is deleted', async () => {
    await start(server, { gpus: 1 });
    expect(await givenTo(server)).toBe(spare);
    await comesToBeHeld({ [given]: [trainer], [spare]: [server] });

    await cluster.kubectl('delete', 'pod', trainer.pod, `--namespace=${trainer.namespace}`);

    await comesToBeHeld({ [given]: [], [spare]: [server] });
    expect(JSON.stringify(await processesOn('gpu-1'))).not.toContain(trainer.pod);
  });
});

function uuidsOf(node: GpuNode): string[] {
  return gpusOf(node).map(({ uuid }) => `${uuid}`);
}

function holdersIn({ gpus }: Answer): Holders {
  return Object.fromEntries(gpus.map(({ uuid, holders }) => [uuid, holders]));
}

/** The first process of a pod's only container, by what the kernel and the API server say. */
function containerOf(cluster: GpuCluster, { metadata, spec, status }: Pod) {
  const { containerID = '' } = one(status.containerStatuses ?? []);
  const [process = 0] = cluster.node(spec.nodeName ?? '').processes(containerID);
  const [, onNode] = /^NSpid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${process}/status`, 'utf8')) ?? [];
  return {
    pid: Number(onNode), // the driver of a node numbers by the node's PID namespace, which is one below this machine's
    comm: 'probe',
    containerId: containerID.replace('containerd://', ''),
    podUid: metadata.uid,
  };
}

function one<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1);
  return list[0] as T;
}
