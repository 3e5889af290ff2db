import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { namespace } from '../support/chart.ts';
import { type Answer, type Host, host } from '../support/fleet/host.ts';
import { whyNoImage } from '../support/image.ts';
import {
  allGpus,
  type GpuCluster,
  gpuNodes,
  gpusIn,
  gpusOf,
  startGpuCluster,
  usual,
} from '../support/node/gpu-cluster.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';

const skipped = whyNoNodeHere() ?? whyNoImage();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const stdio = { agent: { ...usual.agent, mode: 'stdio' } };

describe.skipIf(skipped)(`agents that come and go on real nodes ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;
  let viewer: Host;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    await cluster.release('install', {});
    viewer = await host(cluster.kubeconfig('viewer'));
  }, buildMs);

  afterAll(async () => {
    await viewer?.leave();
    await cluster?.stop();
  });

  const ask = () => viewer.callAll('get_gpu_inventory', { detail: 'full' });

  /** Asks without pause while the work goes on, and once more when it is done. */
  async function asking(work: Promise<unknown>): Promise<Answer[]> {
    let done = false;
    const ended = work.finally(() => {
      done = true;
    });
    const answers: Answer[] = [];
    while (!done) answers.push(await ask());
    await ended;
    answers.push(await ask());
    return answers;
  }

  /** The nodes that an answer speaks of, whatever it says of them. */
  const accountedFor = ({ structured: { rows, failed, withoutAgent } }: Answer) =>
    [
      ...new Set(
        [...(rows ?? []), ...failed, ...withoutAgent].map((each) => (each as { node: string }).node),
      ),
    ].sort();

  test('an upgrade of the agents is not noticed by who asks meanwhile', async () => {
    const upgrade = cluster.release('upgrade', { podLabels: { turn: 'two' } });

    const answers = await asking(upgrade);

    expect(answers.length).toBeGreaterThan(10);
    for (const { structured } of answers) expect(gpusIn(structured)).toEqual(allGpus);
  });

  test('nor is an upgrade to the mode stdio, from which on agents are asked by exec', async () => {
    const answers = await asking(cluster.release('upgrade', stdio));

    for (const { structured } of answers) expect(gpusIn(structured)).toEqual(allGpus);
    const pods = await cluster.agents();
    expect(Object.keys(pods).sort()).toEqual([...gpuNodes]);
    expect(await ready(cluster, 'k8s-gpu-mcp/mode=stdio')).toBe(2);
  });

  test('nor is the way back; the right to exec ends with the upgrade after it', async () => {
    const mayExec = () =>
      cluster
        .kubectl(
          ...['auth', 'can-i', 'get', 'pods', '--subresource=exec', '--as=viewer'],
          `--namespace=${namespace}`,
        )
        .catch(() => 'no\n');
    expect(await mayExec()).toBe('yes\n');

    const answers = await asking(cluster.release('upgrade', {}));

    for (const { structured } of answers) expect(gpusIn(structured)).toEqual(allGpus);
    await cluster.release('upgrade', {});
    expect(await mayExec()).toBe('no\n');
  });

  test('an upgrade ends although the driver of one node hangs, and the other node is none the worse', async () => {
    const driver = cluster.drivers['gpu-2'];
    driver.write({ gpus: gpusOf('gpu-2'), hangs: [{}] });
    await cluster.waitFor('hang to be noticed', async () =>
      (await viewer.call('get_gpu_health')).text.includes('not responding'),
    );

    await cluster.release('upgrade', { podLabels: { turn: 'three' } });
    const { structured, text } = await ask();

    expect(await ready(cluster, 'turn=three')).toBe(2);
    expect(structured.answered).toBe(2);
    expect(gpusIn(structured)).toEqual(expect.arrayContaining(allGpus.slice(0, 2)));
    expect(text).toContain('gpu-2');
    driver.write({ gpus: gpusOf('gpu-2') });
    await cluster.waitFor('recovery', async () => gpusIn((await ask()).structured).length === 4);
  });

  test('a pod that is killed is named until another has taken its place', async () => {
    const { 'gpu-1': agent } = await cluster.agents();
    await ask();
    const killed = cluster
      .kubectl(
        'delete',
        'pod',
        agent.metadata.name,
        `--namespace=${namespace}`,
        '--force',
        '--grace-period=0',
      )
      .then(() => sleep(500))
      .then(() => cluster.agents());

    const answers = await asking(killed);

    for (const answer of answers) {
      expect(accountedFor(answer)).toEqual([...gpuNodes]);
      expect(gpusIn(answer.structured)).toEqual(expect.arrayContaining(allGpus.slice(2)));
    }
    await cluster.waitFor('all', async () => gpusIn((await ask()).structured).length === 4);
  });

  test('a node that is drained and quarantined goes on answering', async () => {
    await cluster.kubectl('drain', 'gpu-1', '--ignore-daemonsets', '--delete-emptydir-data');
    await cluster.kubectl('taint', 'node', 'gpu-1', 'broken=yes:NoExecute');
    await sleep(2000); // the taint's manager evicts at once what does not tolerate it

    const { structured } = await ask();

    expect(gpusIn(structured)).toEqual(allGpus);
    expect(await ready(cluster, 'k8s-gpu-mcp/agent=true')).toBe(2);
  });

  test('a node that is paused has no agent to hold its driver, as is said of it, and gets it back', async () => {
    const pause = (change: string) =>
      cluster.kubectl('label', 'node', 'gpu-2', `k8s-gpu-mcp/paused${change}`);

    await pause('=true');
    await cluster.waitFor('pause', async () => {
      const { structured } = await ask();
      expect(accountedFor(await ask())).toEqual([...gpuNodes]);
      return JSON.stringify(structured.withoutAgent).includes('"paused by its label k8s-gpu-mcp/paused');
    });

    expect(gpusIn((await ask()).structured)).toEqual(allGpus.slice(0, 2));
    await pause('-');
    await cluster.waitFor('all', async () => gpusIn((await ask()).structured).length === 4);
  });
});

/** How many pods with this label are Ready. */
async function ready(cluster: GpuCluster, label: string): Promise<number> {
  const pods = await cluster.waitForPods(label, { namespace, count: gpuNodes.length });
  return pods.length;
}
