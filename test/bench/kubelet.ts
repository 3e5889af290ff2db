import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { bridgeEntry } from '../support/build.ts';
import { namespace } from '../support/chart.ts';
import { whyNoImage } from '../support/image.ts';
import { type GpuCluster, startGpuCluster } from '../support/node/gpu-cluster.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';
import type { Pod } from '../support/node/waiting.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import type { Benchmark, Figure } from './bench.ts';
import { createDisk, whyNoDisk } from './disk.ts';
import {
  agentPod,
  agents,
  deadlineMs,
  forgetProgram,
  good,
  gpus,
  load,
  node,
  oneshot,
  onlyAgent,
  readMB,
  uninstall,
  workingSetMB,
} from './kubelet-agent.ts';
import { whyNoWrk } from './wrk.ts';

const installs = 3;
const roomyRuns = 3;
const idleMs = 20_000;
/** A hundred times the default of 10 s: more than 1,000 rounds in 110 s. */
const hasty = { interval: '100ms', forMs: 110_000, staleS: 0.5 };
/** 64 MiB, as all bounds of the working set. */
const workingSetBound = { atMost: 67.1 };
const coldStarts = 20;
const enoughFailures = 3;
/** Of 117 MB; a start that reads less found its program in the page cache. */
const coldReadsAtLeastMB = 10;

type Report = (figure: Figure) => void;

/** The chart's is the last of each: the least that survives on either disk. */
const limitsMiB = { usual: [64, 96, 112], readingFarAhead: [96, 112] };
const why = () => whyNoNodeHere() ?? whyNoImage() ?? whyNoWrk() ?? whyNoDisk();

/** The agent as the chart runs it, on a real kubelet. */
export const kubelet: Benchmark = {
  name: 'kubelet',
  about: 'the chart on a real kubelet: time to the first answer, memory, cold starts, 15 minutes',
  whyNot: why,
  measure: (report) =>
    onKubelet(128, async (cluster) => {
      await measureFirstAnswers(cluster, report);
      await measureMemory(cluster, report);
      for (const limitMiB of limitsMiB.usual) await measureColdStarts(cluster, { limitMiB, how: '' }, report);
    }),
};

export const kubeletReadAhead: Benchmark = {
  name: 'kubelet-read-ahead',
  about: 'the same cold starts from a disk that reads 4 MiB ahead, as Red Hat tunes servers, 8 minutes',
  whyNot: why,
  measure: (report) =>
    onKubelet(4096, async (cluster) => {
      const how = ', reading 4 MiB ahead';
      for (const limitMiB of limitsMiB.readingFarAhead)
        await measureColdStarts(cluster, { limitMiB, how }, report);
    }),
};

/** @param readAheadKiB of the disk that the nodes have their images and containers on */
async function onKubelet(
  readAheadKiB: number,
  measure: (cluster: GpuCluster) => Promise<void>,
): Promise<void> {
  using disk = createDisk(readAheadKiB, 4096);
  const { TMPDIR: before } = process.env;
  process.env['TMPDIR'] = disk.folder;
  try {
    const cluster = await startGpuCluster();
    try {
      for (const driver of Object.values(cluster.drivers))
        driver.write({
          gpus: Array.from({ length: gpus }, (_, index) => h100(index)),
          countCalls: '/dev/null',
        });
      await measure(cluster);
    } finally {
      await cluster.stop();
    }
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

/** Everything on, on one node, under this limit. */
function values(limitMiB: number, sampleInterval = '10s'): object {
  return {
    agent: { sampleInterval },
    metrics: { gpu: true },
    hostPID: { enabled: true },
    history: { enabled: true },
    nodeSelector: { 'kubernetes.io/hostname': node },
    resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: `${limitMiB}Mi` } },
  };
}

async function measureFirstAnswers(cluster: GpuCluster, report: Report): Promise<void> {
  const [answered, ready]: [number[], number[]] = [[], []];
  for (let run = 0; run < installs; run++) {
    const startedMs = performance.now();
    const asked = firstAnswer(cluster, startedMs);
    await cluster.release('install', values(256), { wait: false });
    const seen = await cluster.waitFor('pod', () => agentPod(cluster));
    const seenMs = performance.now();
    await cluster.waitForPods('k8s-gpu-mcp/agent=true', { namespace });
    ready.push(performance.now() - seenMs);
    answered.push(await asked);
    await uninstall(cluster, seen);
  }
  report({ what: 'helm install → first answer of the bridge', unit: 'ms', runs: answered });
  report({ what: 'pod made → Ready (the probe waits for 5 s)', unit: 'ms', runs: ready });
}

/** Asks again and again with a new bridge, as a person would. */
async function firstAnswer(cluster: GpuCluster, startedMs: number): Promise<number> {
  for (;;) {
    const args = [bridgeEntry, '--namespace', namespace, 'call', 'get_gpu_inventory', `nodes=${node}`];
    const env = { PATH: process.env['PATH'], KUBECONFIG: cluster.kubeconfig('admin') };
    const child = spawn('node', args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    await once(child, 'close');
    if (said.startsWith('success') && said.includes(`${gpus} × `)) return performance.now() - startedMs;
    if (performance.now() - startedMs > 120_000) throw new Error(`no answer within two minutes: ${said}`);
  }
}

async function measureMemory(cluster: GpuCluster, report: Report): Promise<void> {
  const [idle, loaded, hurried]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < roomyRuns; run++) {
    await cluster.release('install', values(256));
    const pod = await onlyAgent(cluster);
    await sleep(idleMs);
    idle.push(workingSetMB(cluster, pod));
    good(await load(cluster, pod));
    loaded.push(workingSetMB(cluster, pod));
    await uninstall(cluster, pod);
  }
  await cluster.release('install', values(256, hasty.interval));
  const pod = await onlyAgent(cluster);
  const untilMs = performance.now() + hasty.forMs;
  while (performance.now() < untilMs) {
    await sleep(1000);
    await checkFresh(pod);
  }
  hurried.push(workingSetMB(cluster, pod));
  await uninstall(cluster, pod);
  const what = 'under 256 MiB, 8 GPUs, everything on: working set';
  report({ what: `${what}, idle`, unit: 'MB', runs: idle });
  report({ what: `${what}, after 10,000 calls`, unit: 'MB', runs: loaded, bound: workingSetBound });
  const rounds = 'after 1,100 sampling rounds at 100 × speed';
  report({ what: `${what}, ${rounds}`, unit: 'MB', runs: hurried, bound: workingSetBound });
}

/** @throws Error where the samples do not come as often as they should */
async function checkFresh({ status }: Pod): Promise<void> {
  const metrics = await (await fetch(`http://${status.podIP}:8081/metrics`)).text();
  const age = /^k8s_gpu_mcp_snapshot_age_seconds (\S+)$/m.exec(metrics)?.[1];
  if (!(Number(age) < hasty.staleS)) throw new Error(`samples every ${hasty.interval} are ${age} s old`);
}

async function measureColdStarts(
  cluster: GpuCluster,
  { limitMiB, how }: { limitMiB: number; how: string },
  report: Report,
): Promise<void> {
  forgetProgram(cluster); // else the first start finds what was just imported
  const survivors: number[] = [];
  const faults: string[] = [];
  while (survivors.length + faults.length < coldStarts && faults.length < enoughFailures) {
    await cluster.release('install', values(limitMiB), { wait: false });
    const pod = await onlyAgent(cluster);
    const fault = await livedUnder(cluster, pod).then(
      (workingSet) => void survivors.push(workingSet),
      (thrown: Error) => thrown.message.split('\n')[0],
    );
    if (fault !== undefined) faults.push(fault);
    await uninstall(cluster, pod);
  }
  for (const fault of faults) process.stderr.write(`  ${limitMiB} MiB: not survived: ${fault}\n`);
  const what = `limit ${limitMiB} MiB, cold${how}`;
  const starts = survivors.length + faults.length;
  report({ what: `${what}: survivors of ${starts} starts`, unit: 'count', runs: [survivors.length] });
  if (survivors.length > 0) report({ what: `${what}: working set`, unit: 'MB', runs: survivors });
}

/** @throws Error saying why it has not survived 10,000 calls and a oneshot beside them */
async function livedUnder(cluster: GpuCluster, pod: Pod): Promise<number> {
  const signal = AbortSignal.timeout(deadlineMs);
  const failed = async (thrown: Error) => {
    const now = (await agents(cluster)).find(({ metadata }) => metadata.uid === pod.metadata.uid);
    const [state] = now?.status.containerStatuses ?? [];
    const why =
      state?.lastState['terminated']?.reason ??
      state?.state['terminated']?.reason ??
      thrown.message.split('\n')[0];
    throw new Error(`${why}, ${state?.restartCount} restarts`);
  };
  try {
    await cluster.waitFor('answer', () => oneshot(cluster, pod, signal).then(() => true), deadlineMs);
    const [result] = await Promise.all([load(cluster, pod, signal), oneshot(cluster, pod, signal)]);
    good(result);
    const workingSet = workingSetMB(cluster, pod);
    const [after] = (await onlyAgent(cluster)).status.containerStatuses ?? [];
    if (after?.restartCount !== 0) throw new Error('it was restarted');
    if (readMB(cluster, pod) < coldReadsAtLeastMB) throw new Error('a start was not cold');
    return workingSet;
  } catch (thrown) {
    return failed(thrown as Error);
  }
}
