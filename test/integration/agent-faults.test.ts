import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'vitest';

import { startAgent, until } from '../support/agent.ts';
import { healthOf, inventoryOf, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { buildFakeNvml, h100 } from '../support/nvml/fake-nvml.ts';

const uuids = ['GPU-00000000-0000-4000-8000-000000000000', 'GPU-00000000-0000-4000-8000-000000000001'];

test.concurrent('a GPU that is lost while we look has failed, and is still known by name', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);

  driver.write({ returns: [{ gpu: 1, code: 15 }] });
  const { gpus } = await until('the loss is seen', async () => {
    const health = await healthOf(url);
    return health.gpus[1]?.verdict === 'failed' && health;
  });
  const inventory = await inventoryOf(url);

  expect(gpus).toMatchObject([
    { index: 0, verdict: 'ok', findings: [] },
    { index: 1, verdict: 'failed', action: 'rebootNode', uuid: uuids[1], pciAddress: '0000:2b:00.0' },
  ]);
  expect(inventory.gpus).toMatchObject([
    { uuid: uuids[0], trouble: null, temperatureC: 32 },
    { uuid: uuids[1], trouble: { kind: 'lost' }, temperatureC: null, missing: { temperatureC: 'gpuLost' } },
  ]);
  expect(await textOf(url, 'get_gpu_health')).toMatch(/failed: .* GPU 1 .*0000:2b:00\.0.*off the bus/);

  driver.write({});
  await until('it is well again', async () => (await healthOf(url)).gpus[1]?.verdict === 'ok');
});

test.concurrent('a GPU that is gone after a driver reload has vanished, and comes back', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);

  driver.write({ gpus: [h100(1)], generation: 1 });
  const { gpus } = await until('the reload is seen', async () => {
    const inventory = await inventoryOf(url);
    return inventory.gpus.some(({ trouble }) => trouble?.kind === 'vanished') && inventory;
  });
  const health = await healthOf(url);

  expect(gpus.map(({ uuid, trouble }) => [uuid, trouble?.kind])).toEqual([
    [uuids[1], undefined],
    [uuids[0], 'vanished'],
  ]);
  expect(health.gpus.map(({ verdict }) => verdict)).toEqual(['ok', 'failed']);

  driver.write({ generation: 2 });
  await until('both are there again', async () => {
    const inventory = await inventoryOf(url);
    return inventory.gpus.length === 2 && inventory.gpus.every(({ trouble }) => trouble === null);
  });
});

test.concurrent('all GPUs vanish and come back: none is told twice', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, driver);

  driver.write({ gpus: [], generation: 1 });
  await until('all have vanished', async () => {
    const { gpus } = await inventoryOf(url);
    return gpus.length === 2 && gpus.every(({ trouble }) => trouble?.kind === 'vanished');
  });
  driver.write({ generation: 2 });
  const { gpus } = await until('they are there again', async () => {
    const inventory = await inventoryOf(url);
    return inventory.gpus.every(({ temperatureC }) => temperatureC !== null) && inventory;
  });

  expect(gpus.map(({ uuid, trouble }) => [uuid, trouble])).toEqual(uuids.map((uuid) => [uuid, null]));
});

test.concurrent('the driver goes away and comes back without a restart of the agent', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const agent = await startAgent(context, driver);
  const { url } = agent;

  driver.write({ driver: 'notLoaded' });
  const away = await until('it is seen', async () => {
    const inventory = await inventoryOf(url);
    return inventory.driver.state === 'unavailable' && inventory;
  });

  expect(away.driver.problem).toMatchObject({
    code: 'DRIVER_NOT_LOADED',
    hint: expect.stringMatching(/nvidia-smi/),
  });
  expect(
    away.gpus.map(({ uuid, temperatureC, missing }) => [uuid, temperatureC, missing['temperatureC']]),
  ).toEqual(uuids.map((uuid) => [uuid, null, 'driverUnavailable']));
  expect((await healthOf(url)).gpus.map(({ verdict }) => verdict)).toEqual(['unknown', 'unknown']);
  expect(await textOf(url, 'get_gpu_health')).toMatch(
    /could be read\.\n[\s\S]*GPU 1 \(.*not read\): the driver is unavailable \(DRIVER_NOT_LOADED\), for .*; nothing is known of it since/,
  );
  expect((await agent.health('/readyz')).status).toBe(200);

  driver.write({ driverVersion: '590.48.01', generation: 1 });
  const back = await until('it is back', async () => {
    const inventory = await inventoryOf(url);
    return inventory.driver.state === 'ok' && inventory;
  });

  expect(back.driver.driverVersion).toBe('590.48.01');
  await until('GPUs are read', async () =>
    (await healthOf(url)).gpus.every(({ verdict }) => verdict === 'ok'),
  );
  expect(driver.calls()['nvmlSystemGetDriverVersion'], 'once in each life').toBe(2);
});

test.concurrent('no driver at the start: each answer says so and what to do, until there is one', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {}, { libraryFile: 'libnvidia-ml.so.1' });
  const agent = await startAgent(context, driver);
  const { url } = agent;

  for (const tool of ['get_gpu_inventory', 'get_gpu_health'])
    expect(await textOf(url, tool)).toMatch(
      /0 GPUs on 1 node[\s\S]*DRIVER_NOT_FOUND for .*libnvidia-ml\.so\.1.*gpuAccess\.mode=runtimeClass.*hostDriver/,
    );
  expect(await (await agent.health('/readyz')).json()).toEqual({
    ready: true,
    driver: 'unavailable',
    gpus: 0,
  });

  copyFileSync(buildFakeNvml(), driver.library);

  await until('it is found', async () => (await healthOf(url)).gpus.length === 2);
});

test.concurrent('a library that is newer than the kernel module is told as that', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { driver: 'mismatch' });
  const { url } = await startAgent(context, driver);

  const { problem } = (await inventoryOf(url)).driver;

  expect(problem).toMatchObject({
    code: 'DRIVER_VERSION_MISMATCH',
    message: expect.stringMatching(/nvmlInitWithFlags of \/.*libnvidia-ml\.so\.1 returned 18/),
    hint: expect.stringMatching(/delete the agent's pod.*reload the kernel module or reboot/),
  });
});

test.concurrent('a file that is no library is told as that', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {}, { libraryFile: 'libnvidia-ml.so.1' });
  writeFileSync(driver.library, 'not a library');
  const { url } = await startAgent(context, driver);

  expect((await inventoryOf(url)).driver.problem).toMatchObject({
    code: 'DRIVER_NOT_FOUND',
    message: expect.stringContaining(driver.library),
  });
});

test.concurrent('a device node whose mode denies it is told as that', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {}, { libraryFile: 'libnvidia-ml.so.1' });
  copyFileSync(buildFakeNvml(), driver.library);
  const deviceNode = join(driver.folder, 'nvidiactl');
  writeFileSync(deviceNode, '', { mode: 0o000 });
  chmodSync(driver.folder, 0o755);
  driver.write({ deviceNode, countCalls: '/dev/null' });
  const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {}; // root may open anything
  const { url } = await startAgent(context, { ...driver, ...nobody });

  expect((await inventoryOf(url)).driver.problem).toMatchObject({
    code: 'DRIVER_ACCESS_DENIED',
    message: expect.stringMatching(/returned 4$/),
    hint: expect.stringMatching(/\/dev\/nvidiactl/),
  });
});

test.concurrent('a device node that the container is denied is told as that', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const deviceNode = join(driver.folder, 'nvidiactl');
  writeFileSync(deviceNode, '');
  const denied = spawnSync('chattr', ['+i', deviceNode]).status === 0; // open gives EPERM, as under a device cgroup
  context.onTestFinished(() => void spawnSync('chattr', ['-i', deviceNode]));
  context.skip(
    !denied,
    'only root, on a file system with attributes, can make a file that root may not open',
  );
  driver.write({ deviceNode });
  const { url } = await startAgent(context, driver);

  expect((await inventoryOf(url)).driver.problem).toMatchObject({
    code: 'DRIVER_ACCESS_DENIED',
    message: expect.stringMatching(/returned 999$/),
  });
});

test.concurrent('one reading that fails in an unknown way costs the verdict, not the other readings', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {
    returns: [{ symbol: 'nvmlDeviceGetTemperature', gpu: 1, code: 999 }],
  });
  const { url } = await startAgent(context, driver);

  const [first, second] = (await inventoryOf(url)).gpus;
  const { gpus } = await healthOf(url);

  expect(second).toEqual({
    ...first,
    ...identity(second),
    missing: { ...first?.missing, temperatureC: 'nvmlReturn999' },
    temperatureC: null,
  });
  expect(gpus).toMatchObject([
    { verdict: 'ok' },
    {
      verdict: 'unknown',
      action: 'runDiagnostics',
      findings: [{ text: expect.stringMatching(/temperatureC/) }],
    },
  ]);
});

function identity(gpu: object | undefined) {
  const names = ['index', 'ageMs', 'slowAgeMs', 'uuid', 'serial', 'pciAddress', 'minorNumber'];
  return Object.fromEntries(Object.entries(gpu ?? {}).filter(([name]) => names.includes(name)));
}
