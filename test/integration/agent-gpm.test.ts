import { test } from 'vitest';

import { startAgent } from '../support/agent.ts';
import { dataOf, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { runBridge } from '../support/bridge-process.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

const gpm = { 2: 84, 3: 31.5, 5: 47, 10: 42 };
const gpus = [h100(0, { gpm }), h100(1)];

test.concurrent('the first who asks for GPM is told, and what the GPUs did since by the next one', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus });
  const { url } = await startAgent(context, driver);

  const first = await dataOf(url, 'get_gpu_metrics', { gpm: true });
  driver.write({ gpus: [h100(0, { gpm: { ...gpm, 2: 12 } }), h100(1)] });
  await new Promise((resolve) => setTimeout(resolve, 150));
  const text = await textOf(url, 'get_gpu_metrics', { gpm: true });

  expect(first).toMatchObject({
    gpm: [
      { index: 0, smPercent: 84, smOccupancyPercent: 31.5, tensorPercent: 47, dramBandwidthPercent: 42 },
      { index: 1, smPercent: null, missing: { gpm: 'notSupported' } },
    ],
  });
  expect(text).toMatch(/GPU 0 GPM: SM active 12 %, SM occupancy 31\.5 %, .* over \d+ ms/);
});

test.concurrent('a person asks for it on the command line by gpm=true', async (context) => {
  const { url } = await startAgent(context, fakeDriver(context, { gpus }));

  const { stdout, stderr, code } = await runBridge(context.onTestFinished, {
    args: ['--node', `a=${url}`, 'call', 'get_gpu_metrics', 'gpm=true'],
  });

  context.expect(stdout + stderr).toContain('a GPU 0 GPM: SM active 84 %');
  context.expect(code).toBe(0);
});

test.concurrent('nobody takes GPM samples until someone wants to know', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus });
  const { url } = await startAgent(context, driver);

  await dataOf(url, 'get_gpu_metrics');
  expect(driver.calls()['nvmlGpmQueryDeviceSupport']).toBeUndefined();
  await dataOf(url, 'get_gpu_metrics', { gpm: true, gpu: 0 });
  expect(driver.calls()['nvmlGpmSampleGet']).toBe(2);
});

test.concurrent('a driver that hangs over it is not waited for: the other readings are told, and that GPM is not', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus, hangs: [{ symbol: 'nvmlGpmQueryDeviceSupport' }] });
  const { url } = await startAgent(context, driver);

  const answer = await dataOf(url, 'get_gpu_metrics', { gpm: true });

  expect(answer).toMatchObject({
    gpus: [{ temperatureC: 32 }, { temperatureC: 32 }],
    gpm: [{ missing: { gpm: 'notReady' } }, { missing: { gpm: 'notReady' } }],
  });
});
