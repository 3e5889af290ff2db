import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { namespace, release } from '../support/chart.ts';
import type { GpuCluster } from '../support/node/gpu-cluster.ts';
import type { Pod } from '../support/node/waiting.ts';
import { manyCalls } from './agent-load.ts';
import { bridgeCall, checkText, lastGpuOf, tools } from './agent-requests.ts';
import { readFromDiskMB } from './proc.ts';
import { type LoadResult, wrk } from './wrk.ts';

/** Of the node whose agent is measured. */
export const gpus = 8;
export const node = 'gpu-1';
/** From the pod's start to the last answer; one that thrashes would need many minutes. */
export const deadlineMs = 30_000;
/** One that thrashes does not hear that it shall end, and has the whole grace period, twice if it was just restarted. */
const endMs = 150_000;

export function good({ answers, failed }: LoadResult): void {
  if (failed > 0 || answers < manyCalls) throw new Error(`${failed} of ${answers} calls failed or were late`);
}

/** 10,000 calls from inside the pod's network, as the bridge makes them: nothing else reaches the pod's loopback. */
export function load(cluster: GpuCluster, pod: Pod, signal?: AbortSignal): Promise<LoadResult> {
  const [pid] = cluster.node(node).processes(containerOf(pod));
  return wrk({
    url: 'http://127.0.0.1:8080/mcp',
    requests: tools.map(bridgeCall),
    forS: deadlineMs / 1000,
    untilAnswers: { count: manyCalls, expect: lastGpuOf(gpus) },
    within: ['nsenter', `--net=/proc/${pid}/ns/net`],
    ...(signal && { signal }),
  });
}

export async function oneshot(cluster: GpuCluster, { metadata }: Pod, signal: AbortSignal): Promise<void> {
  const flags = [`--kubeconfig=${cluster.kubeconfig('admin')}`, `--namespace=${namespace}`];
  const command = ['exec', '-i', metadata.name, '--', '/agent', '--oneshot=1'];
  const child = spawn(cluster.kubectlPath, [...flags, ...command], {
    signal,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [said, complaint] = ['', ''];
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (complaint += text));
  child.stdin.end(`${bridgeCall('get_gpu_health').body}\n`);
  const [code] = await once(child, 'close');
  if (code !== 0 || said === '') throw new Error(`oneshot ended with ${code}: ${complaint.slice(-300)}`);
  checkText(said, gpus, 'oneshot');
}

export async function agents(cluster: GpuCluster): Promise<Pod[]> {
  const flags = ['--selector=k8s-gpu-mcp/agent=true', `--namespace=${namespace}`, '--output=json'];
  return JSON.parse(await cluster.kubectl('get', 'pods', ...flags)).items;
}

/** The one agent that runs; undefined until it does. */
export async function agentPod(cluster: GpuCluster): Promise<Pod | undefined> {
  const staying = (await agents(cluster)).filter(({ metadata }) => !metadata.deletionTimestamp);
  return staying.find(({ status }) => status.containerStatuses?.[0]?.containerID !== undefined);
}

export async function onlyAgent(cluster: GpuCluster): Promise<Pod> {
  return cluster.waitFor('agent', () => agentPod(cluster));
}

/** What it has read from the disk so far. */
export function readMB(cluster: GpuCluster, pod: Pod): number {
  const [pid = 0] = cluster.node(node).processes(containerOf(pod));
  return readFromDiskMB(pid);
}

function containerOf({ status }: Pod): string {
  return status.containerStatuses?.[0]?.containerID ?? '';
}

export function workingSetMB(cluster: GpuCluster, pod: Pod): number {
  return (cluster.node(node).workingSetBytes(containerOf(pod)) ?? Number.NaN) / 1e6;
}

/** Its program is not in the page cache then. */
export async function uninstall(cluster: GpuCluster, { metadata }: Pod): Promise<void> {
  await cluster.helm('uninstall', release, `--namespace=${namespace}`, '--wait');
  const ended = async () => (await agents(cluster)).every((other) => other.metadata.uid !== metadata.uid);
  await cluster.waitFor('end of the agent', ended, endMs);
  forgetProgram(cluster);
}

/** Its next start is cold, as on a node that pulled the image long ago. */
export function forgetProgram(cluster: GpuCluster): void {
  const layers = join(
    cluster.node(node).kubeletFolder,
    '../containerd/io.containerd.snapshotter.v1.overlayfs/snapshots',
  );
  for (const layer of readdirSync(layers)) dropPages(join(layers, layer, 'fs/agent'));
}

/** Copies nothing; GNU dd drops a file's pages from the cache. */
function dropPages(program: string): void {
  const drop = [`of=${program}`, 'oflag=nocache', 'conv=notrunc,nocreat,fdatasync', 'count=0', 'status=none'];
  try {
    execFileSync('dd', ['if=/dev/null', ...drop], { stdio: 'ignore' });
  } catch {} // a layer without the program
}
