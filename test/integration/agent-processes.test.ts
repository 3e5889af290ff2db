import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';

import { startAgent } from '../support/agent.ts';
import { dataOf, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { startFakeKubelet } from '../support/pod-resources.ts';

const secret = 'hunter2-this-is-a-secret';
const mebibyte = 2 ** 20;

test.concurrent('a real process on a GPU is told with its name, and without what it was started with', async (context) => {
  const { expect } = context;
  const child = spawn('sleep', ['60'], { env: { ...process.env, TOKEN: secret }, argv0: `sleep-${secret}` });
  context.onTestFinished(() => void child.kill());
  await new Promise((resolve) => child.once('spawn', resolve));
  const pid = child.pid ?? 0;
  const driver = fakeDriver(context, {
    gpus: [h100(0, { processes: [{ pid, usedBytes: 700 * mebibyte }] }), h100(1)],
  });
  const { url } = await startAgent(context, driver);

  const data = (await dataOf(url, 'get_gpu_processes')) as unknown as { gpus: { processes: object[] }[] };
  const text = await textOf(url, 'get_gpu_processes');

  expect(data.gpus[0]?.processes).toMatchObject([
    { pid, comm: 'sleep', kinds: ['compute'], usedBytes: 700 * mebibyte, attribution: 'host', left: false },
  ]);
  expect(data.gpus[1]?.processes).toEqual([]);
  expect(text).toContain(`sleep (pid ${pid}, compute)`);
  expect(JSON.stringify(data) + text).not.toContain(secret);
});

test.concurrent('nobody asks for processes until someone wants to know', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);
  await dataOf(url, 'get_gpu_metrics');
  expect(driver.calls()['nvmlDeviceGetGraphicsRunningProcesses_v3']).toBeUndefined();

  await dataOf(url, 'get_gpu_processes');

  expect(driver.calls()['nvmlDeviceGetGraphicsRunningProcesses_v3']).toBe(2); // once for each GPU
});

test.concurrent('a driver that hangs when it is asked is not waited for: who asks is told within a second that it is not known', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {
    hangs: [{ symbol: 'nvmlDeviceGetGraphicsRunningProcesses_v3', gpu: 0 }],
  });
  const { url } = await startAgent(context, driver);

  const data = (await dataOf(url, 'get_gpu_processes')) as unknown as { gpus: object[] };

  expect(data.gpus).toMatchObject([
    { processes: null, missing: 'notReady' },
    { processes: null, missing: 'notReady' },
  ]);
});

test('the kubelet is asked with the question: the pod that has a GPU since a moment is told, and one that does not answer delays nobody for long', async (context) => {
  const { expect } = context;
  const gpu = h100(0, { processes: [{ pid: 999_999_999, usedBytes: 700 * mebibyte }] });
  const uuid = String(gpu.uuid);
  const kubelet = await startFakeKubelet([{ pod: 'before', devices: [uuid] }]);
  const driver = fakeDriver(context, { gpus: [gpu] });
  const args = ['--nvml-library', driver.library, '--pod-resources-socket', kubelet.socket];
  const { url } = await startAgent(context, { args, env: driver.env }); // a sample every 10 s
  expect(await textOf(url, 'get_gpu_processes')).toContain('pod ml/before container main');

  kubelet.answer([{ pod: 'after', devices: [uuid] }]);
  await sleep(1000);
  expect(await textOf(url, 'get_gpu_processes')).toContain('pod ml/after container main');

  kubelet.answer('never');
  await sleep(1000);
  const data = (await dataOf(url, 'get_gpu_processes')) as unknown as { podResources: { ageMs: number } };
  expect(data.podResources).toMatchObject({ readable: true, reason: null });
  expect(data.podResources.ageMs).toBeGreaterThan(1000); // nobody has waited for what it does not answer
});
