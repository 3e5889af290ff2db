import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { runBridge } from '../support/bridge-process.ts';
import { namespace } from '../support/chart.ts';
import { whyNoImage } from '../support/image.ts';
import { type DevicePlugin, startDevicePlugin } from '../support/node/device-plugin.ts';
import { type GpuCluster, gpusOf, startGpuCluster } from '../support/node/gpu-cluster.ts';
import { pod, serving } from '../support/node/pods.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';

const skipped = whyNoNodeHere() ?? whyNoImage();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const mebibyte = 2 ** 20;
const uuids = gpusOf('gpu-1').map(({ uuid }) => String(uuid));
/** The log is the whole machine's, and keeps what earlier runs wrote. */
const mark = `run-${process.pid}-${Date.now().toString(36)}`;

interface Row {
  readonly kind: string;
  readonly gpu?: { readonly index: number; readonly processes: readonly object[] | null };
  readonly gpus?: unknown;
  readonly event?: { readonly message: string };
}

describe.skipIf(skipped)(`what a real node knows of its GPUs besides the driver ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;
  let plugin: DevicePlugin;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    await cluster.release('install', {
      hostPID: { enabled: true },
      history: { enabled: true, path: '/var/lib/k8s-gpu-mcp' },
    });
    plugin = await startDevicePlugin({
      folder: join(cluster.node('gpu-1').kubeletFolder, 'device-plugins'),
      devices: uuids.map((id) => ({ id, healthy: true })),
    });
  }, buildMs);

  afterAll(async () => {
    await plugin?.stop();
    await cluster?.stop();
  });

  async function rowsOf(tool: string): Promise<readonly Row[]> {
    const { stdout } = await runBridge(onTestFinished, {
      args: ['call', tool, 'nodes=gpu-1', 'detail=full', 'limit=1000', '--structured'],
      env: { KUBECONFIG: cluster.kubeconfig('viewer') },
    });
    return (JSON.parse(stdout) as { rows: readonly Row[] }).rows;
  }

  /** Of a process of this machine, as the node numbers it: the GPU's driver is in no container. */
  function pidOnNode(pid: number): number {
    const [, , onNode] = /^NSpid:\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(onNode);
  }

  test('a pod that was given a GPU holds that one, and what it runs there is known as its own; that the device plugin takes it for unhealthy, too', async () => {
    await cluster.apply(trainer);
    const [started] = await cluster.waitForPods('app=trainer', { namespace: 'default' });
    const containerId = started?.status.containerStatuses?.[0]?.containerID ?? '';
    const [given = ''] = plugin.allocated.at(-1) ?? [];
    const index = uuids.indexOf(given);
    const holders = [{ namespace: 'default', pod: 'trainer', container: 'probe' }];
    const named = async () => JSON.stringify(await rowsOf('get_gpu_processes')).includes('trainer');

    await cluster.waitFor('holder', named);
    expect(await rowsOf('get_gpu_processes')).toEqual([
      { kind: 'idleAllocation', node: 'gpu-1', gpus: [index], holders },
      { kind: 'unused', nodes: ['gpu-1'], gpus: 1 },
    ]);

    const pid = pidOnNode(cluster.node('gpu-1').processes(containerId)[0] ?? 0);
    const processes = [{ pid, usedBytes: 700 * mebibyte }];
    cluster.drivers['gpu-1'].write({
      gpus: gpusOf('gpu-1').map((gpu) => (gpu.uuid === given ? { ...gpu, processes } : gpu)),
    });
    const busy = await cluster.waitFor('process', async () =>
      (await rowsOf('get_gpu_processes')).find(({ kind }) => kind === 'gpu'),
    );

    expect(busy.gpu?.index).toBe(index);
    expect(busy.gpu?.processes).toMatchObject([
      {
        ...{ pid, comm: 'probe', usedBytes: 700 * mebibyte, state: expect.stringMatching(/^[RS]$/) },
        ...{ attribution: 'device', holders, runtime: null }, // the kubelet's cgroupfs does not name the runtime
        ...{ containerId: containerId.replace('containerd://', ''), podUid: started?.metadata.uid },
      },
    ]);

    plugin.offer(uuids.map((id) => ({ id, healthy: id !== given })));
    await cluster.waitFor('unhealthy GPU', async () =>
      (await rowsOf('get_gpu_processes')).some(({ kind }) => kind === 'notOffered'),
    );
    const notOffered = { kind: 'notOffered', node: 'gpu-1', gpus: [index] };
    expect(await rowsOf('get_gpu_processes')).toContainEqual(notOffered);

    plugin.offer(uuids.map((id) => ({ id, healthy: true })));
    await cluster.kubectl('delete', 'pod', 'trainer', '--namespace=default');
    cluster.drivers['gpu-1'].write({ gpus: gpusOf('gpu-1') });
    await cluster.waitFor('end of the pod, and health', async () => {
      const [row] = await rowsOf('get_gpu_processes');
      return row?.kind === 'unused' && row.gpus === 2;
    });
    expect(await named()).toBe(false);
  });

  test('an Xid in the kernel log is told once with what it means, also by the next agent; a line with the word Xid is not', async () => {
    const xid = `NVRM: Xid (PCI:0000:2b:00): 79, pid=4711, name=${mark}, GPU has fallen off the bus.`;
    await write(`eth0: Xid 79 mismatch, ${mark}`);
    await write(`nvidia-device-plugin: XID=79 on GPU 1, ${mark}`);
    await write(xid);
    const told = async () =>
      (await rowsOf('analyze_xid_errors')).flatMap(({ event }) =>
        event?.message.includes(mark) ? event : [],
      );
    const before = await cluster.waitFor('Xid', async () => {
      const events = await told();
      return events.length > 0 && events;
    });

    expect(before).toMatchObject([
      {
        ...{ kind: 'xid', code: 79, gpuIndex: 1, gpuUuid: uuids[1], pciSlot: '0000:2b:00' },
        ...{ name: expect.stringMatching(/fallen off/i), nvidiaAction: expect.any(String) },
        ...{ sources: ['kernelLog'], origin: 'userSpace', severity: 'info', action: 'none' },
        ...{ message: xid.replace('NVRM: ', ''), details: { pid: 4711, processName: mark } },
      },
    ]);

    const { 'gpu-1': agent } = await cluster.agents();
    await cluster.kubectl('delete', 'pod', agent.metadata.name, `--namespace=${namespace}`);
    await cluster.waitFor('another agent', async () => {
      const { 'gpu-1': other } = await cluster.agents();
      return other.metadata.uid !== agent.metadata.uid;
    });
    const after = await cluster.waitFor('Xid, told by the next agent', async () => {
      const events = await told();
      return events.length > 0 && events;
    });
    expect(after).toEqual(before);
  });
});

const trainer = pod(
  { name: 'trainer', namespace: 'default' },
  {
    nodeName: 'gpu-1',
    containers: [{ ...serving, resources: { limits: { 'nvidia.com/gpu': '1' } } }],
  },
);

/** As a program of user space writes into the kernel log; the kernel drops lines that come too fast. */
async function write(line: string): Promise<void> {
  appendFileSync('/dev/kmsg', `<3>${line}\n`);
  await sleep(200);
}
