import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

import { agentProgram, startAgent, until } from '../support/agent.ts';
import { callTool, healthOf, inventoryOf, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';

test('no node_modules is above the program that is tested', () => {
  const above: string[] = [];
  for (let folder = dirname(agentProgram); folder !== dirname(folder); folder = dirname(folder))
    above.push(folder);

  expect(above.filter((folder) => existsSync(join(folder, 'node_modules')))).toEqual([]);
});

test('the program alone answers both tools from the driver', async (context) => {
  const driver = fakeDriver(context, { driverVersion: '580.126.20' });
  const { url } = await startAgent(context, { ...driver, env: { ...driver.env, NODE_NAME: 'gpu-7' } });

  const inventory = await inventoryOf(url);
  const health = await healthOf(url);

  expect(inventory).toMatchObject({
    simulated: false,
    driver: { state: 'ok', driverVersion: '580.126.20', problem: null },
    gpus: [
      { index: 0, uuid: 'GPU-00000000-0000-4000-8000-000000000000', pciAddress: '0000:1b:00.0' },
      { index: 1, uuid: 'GPU-00000000-0000-4000-8000-000000000001', pciAddress: '0000:2b:00.0' },
    ],
  });
  expect(health.gpus.map(({ verdict, findings }) => [verdict, findings])).toEqual([
    ['ok', []],
    ['ok', []],
  ]);
  expect(await textOf(url, 'get_gpu_health')).toMatch(
    /^2 GPUs on 1 node: 2 ok\..*\nThe node's clock shows .*\nok as far as checked: gpu-7: 2 × NVIDIA H100.* \(not checked: Xids .*--kernel-log/,
  );
});

test('the driver is started once, however many calls and samples there are', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);

  await Promise.all(Array.from({ length: 20 }, () => inventoryOf(url)));
  await until('it has sampled often', () => (driver.calls()['nvmlDeviceGetTemperature'] ?? 0) > 20);
  await healthOf(url);

  expect(driver.calls()).toMatchObject({ nvmlInitWithFlags: 2, nvmlSystemGetDriverVersion: 1 }); // to sample, and to hear events
  expect(driver.calls()['nvmlShutdown']).toBeUndefined();
});

test('tools answer from the last sample, and never call the driver', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, {
    ...driver,
    args: [...driver.args, '--sample-interval', '60m'],
  });
  const calls = () => ({
    ...driver.calls(),
    nvmlEventSetWait_v2: 'again and again, by the thread that hears events',
  });
  await until('events are heard', async () => (driver.calls()['nvmlEventSetWait_v2'] ?? 0) > 0);
  const before = calls();

  const [first] = (await inventoryOf(url)).gpus;
  for (let call = 0; call < 50; call++) {
    await callTool(url, 'get_gpu_health');
    await callTool(url, 'get_gpu_inventory', { detail: 'full' });
  }
  const [last] = (await inventoryOf(url)).gpus;

  expect(calls()).toEqual(before);
  expect(last?.ageMs).toBeGreaterThan(first?.ageMs ?? Number.POSITIVE_INFINITY);
});

test('what changes is seen at the next sample', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);

  driver.write({ gpus: [{ name: 'X', uuid: 'GPU-1', pci: null, temperatureC: 77 }] });

  await until(
    'the new temperature is told',
    async () => (await inventoryOf(url)).gpus[0]?.temperatureC === 77,
  );
});

test('what was not asked for is not called', async (context) => {
  const driver = fakeDriver(context);
  await startAgent(context, driver);

  const oldest = Object.keys(driver.calls()).filter((symbol) =>
    [
      'nvmlInit',
      'nvmlInit_v2',
      'nvmlDeviceGetCount',
      'nvmlDeviceGetPciInfo',
      'nvmlDeviceGetMemoryInfo',
    ].includes(symbol),
  );

  expect(oldest).toEqual([]);
});

test('stdout of an HTTP agent stays empty, and stderr is log lines', async (context) => {
  const driver = fakeDriver(context);
  const agent = await startAgent(context, driver);
  await inventoryOf(agent.url);
  driver.write({ driver: 'notLoaded' });

  await until('the log tells of the driver', () =>
    agent.log().some(({ msg }) => msg === 'driver unavailable'),
  );

  expect(agent.stdout()).toBe('');
  expect(agent.log().map(({ msg }) => msg)).toEqual(expect.arrayContaining(['listening', 'ready', 'call']));
});
