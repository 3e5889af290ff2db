import { type TestContext, test } from 'vitest';

import { startAgent, until } from '../support/agent.ts';
import { dataOf, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

async function eventsOf(url: string) {
  return (await dataOf(url, 'analyze_xid_errors')) as unknown as {
    readonly events: readonly Record<string, unknown>[];
    readonly kernelLog: { readonly readable: boolean; readonly reason: string | null };
  };
}

/** The agent hears of what happens from now on only when its thread waits in the driver. */
async function listening(context: TestContext, driver: ReturnType<typeof fakeDriver>) {
  const agent = await startAgent(context, driver);
  await until('it waits for events', async () => (driver.calls()['nvmlEventSetWait_v2'] ?? 0) > 0);
  return agent;
}

test.concurrent('an Xid that the driver tells of is an event of its GPU, also where the kernel log is not read', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await listening(context, driver);

  driver.write({ events: [{ number: 1, gpu: 1, type: 8, data: 79, gpuInstance: 3 }] });

  const { events, kernelLog } = await until('it is told', async () => {
    const now = await eventsOf(url);
    return now.events.length > 0 && now;
  });
  expect(events).toMatchObject([
    {
      code: 79,
      gpuIndex: 1,
      pciSlot: '0000:2b:00',
      sources: ['nvml'],
      severity: 'fatal',
      details: { gpuInstanceId: 3 },
    },
  ]);
  expect(kernelLog).toMatchObject({ readable: false, reason: expect.stringContaining('--kernel-log') });
});

test.concurrent('a driver that is unloaded and loaded again is heard again', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const { url } = await listening(context, driver);

  driver.write({ generation: 1 });
  const waits = driver.calls()['nvmlEventSetCreate'] ?? 0;
  await until(
    'another set is made',
    async () => (driver.calls()['nvmlEventSetCreate'] ?? 0) > Math.max(1, waits - 1),
  );
  await until('it waits', async () => (driver.calls()['nvmlDeviceRegisterEvents'] ?? 0) >= 4);
  driver.write({ generation: 1, events: [{ number: 1, gpu: 0, type: 8, data: 31 }] });

  const { events } = await until('it is told', async () => {
    const now = await eventsOf(url);
    return now.events.length > 0 && now;
  });
  expect(events).toMatchObject([{ code: 31, gpuIndex: 0 }]);
});

test.concurrent('boards without events, and drivers without the calls, cost nothing but these events', async (context) => {
  const { expect } = context;
  const silent = fakeDriver(context, { gpus: [h100(0, { eventTypes: null })] });
  const old = fakeDriver(context, {}, { without: ['nvmlEventSetWait_v2'] });

  for (const driver of [silent, old]) {
    const { url } = await startAgent(context, driver);
    const { events } = await eventsOf(url);

    expect(events).toEqual([]);
    await until('both are read', async () => (driver.calls()['nvmlDeviceGetTemperature'] ?? 0) > 2);
  }
});

test.concurrent('a thread that hangs in the wait for events holds nobody up', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { hangs: [{ symbol: 'nvmlEventSetWait_v2' }] });
  const { url } = await startAgent(context, driver);
  const before = driver.calls()['nvmlDeviceGetTemperature'] ?? 0;

  await until('samples go on', async () => (driver.calls()['nvmlDeviceGetTemperature'] ?? 0) > before + 10);

  expect((await eventsOf(url)).events).toEqual([]);
});

test.concurrent('a GPU whose events the driver does not tell is named: that the others are heard says nothing of it', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, {
    returns: [{ symbol: 'nvmlDeviceRegisterEvents', gpu: 1, code: 999 }],
  });
  const { url } = await listening(context, driver);

  const { driverEvents } = (await dataOf(url, 'analyze_xid_errors')) as unknown as { driverEvents: object };
  expect(driverEvents).toEqual({ readable: true, reason: 'GPU 1 (nvmlReturn999)' });
  expect(await textOf(url, 'analyze_xid_errors')).toContain(
    'Only the Xids that the driver itself tells are known, and none of GPU 1 (nvmlReturn999)',
  );
});
