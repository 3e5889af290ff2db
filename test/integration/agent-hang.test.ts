import { test } from 'vitest';

import { runAgent, startAgent, until, within } from '../support/agent.ts';
import {
  dataOf,
  gapsOf,
  healthOf,
  inventoryOf,
  type NodeAnswer,
  textOf,
  toolRequest,
} from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { callsInFlight, rawCall } from '../support/agent-raw.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

// A call that does not return for 5 s has hung, and after two replacements the third thread is kept: 15 s.
const hangLimitMs = 40_000;
const options = { timeout: 120_000, concurrent: true };

function gpusAt(temperatureC: number) {
  return [h100(0, { temperatureC }), h100(1, { temperatureC }), h100(2, { temperatureC })];
}

function troubles({ gpus }: NodeAnswer) {
  return gpus.map(({ trouble }) => trouble?.kind ?? null);
}

function temperatures({ gpus }: NodeAnswer) {
  return gpus.map(({ temperatureC }) => temperatureC);
}

test('one GPU hangs: it is a finding, the others stay fresh, and it comes back', options, async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus: gpusAt(40) });
  const agent = await startAgent(context, driver);
  const { url } = agent;
  await until('all are read', async () => temperatures(await inventoryOf(url)).join() === '40,40,40');

  driver.write({ gpus: gpusAt(50), hangs: [{ gpu: 1 }] });
  await until('the hang is seen', async () => troubles(await inventoryOf(url))[1] === 'hung', hangLimitMs);
  driver.write({ gpus: gpusAt(60), hangs: [{ gpu: 1 }] });
  const hung = await until('the others are read', async () => {
    const inventory = await inventoryOf(url);
    return temperatures(inventory).join() === '60,40,60' && inventory;
  });
  const health = await healthOf(url);

  expect(troubles(hung)).toEqual([null, 'hung', null]);
  expect(hung.driver).toMatchObject({ state: 'ok', problem: null });
  const [first, second, third] = hung.gpus.map(({ ageMs }) => ageMs ?? 0);
  expect(second).toBeGreaterThan(5000);
  expect(Math.max(first ?? 0, third ?? 0)).toBeLessThan(second ?? 0);
  expect(health.gpus.map(({ verdict, action }) => [verdict, action])).toEqual([
    ['ok', 'none'],
    ['failed', 'rebootNode'],
    ['ok', 'none'],
  ]);
  expect(health.gpus[1]).toMatchObject({
    uuid: 'GPU-00000000-0000-4000-8000-000000000001',
    findings: [{ text: expect.stringMatching(/a driver call on it does not return, for \d+ (s|ms)/) }],
  });
  expect((await agent.health('/healthz')).status).toBe(200);
  expect((await agent.health('/readyz')).status).toBe(200);

  driver.write({ gpus: gpusAt(70) });
  await until('all are fresh', async () => temperatures(await inventoryOf(url)).join() === '70,70,70');
  expect((await healthOf(url)).gpus.map(({ verdict }) => verdict)).toEqual(['ok', 'ok', 'ok']);
  expect(driver.calls()['nvmlInitWithFlags']).toBe(3); // one of them to hear events

  // The thread that was given up has given back its init: else the driver that comes next could never be used.
  driver.write({ gpus: gpusAt(80), generation: 1, driverVersion: '590.48.01' });
  const reloaded = await until('the next driver is used', async () => {
    const inventory = await inventoryOf(url);
    return inventory.driver.driverVersion === '590.48.01' && inventory;
  });
  expect(troubles(reloaded)).toEqual([null, null, null]);
});

test('all GPUs hang: answers go on with their age and say so, and recover', options, async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus: gpusAt(40) });
  const agent = await startAgent(context, driver);
  const { url } = agent;
  await until('all are read', async () => temperatures(await inventoryOf(url)).join() === '40,40,40');

  driver.write({ gpus: gpusAt(50), hangs: [{}] });
  const stale = await until(
    'the driver is given up',
    async () => {
      const inventory = await inventoryOf(url);
      return inventory.driver.state === 'notResponding' && inventory;
    },
    hangLimitMs,
  );
  const health = await healthOf(url);

  expect(await dataOf(url, 'analyze_xid_errors')).toMatchObject({
    driverEvents: { readable: false, reason: 'the driver does not respond' },
  });
  expect(stale.driver.problem).toMatchObject({
    code: 'DRIVER_NOT_RESPONDING',
    hint: expect.stringMatching(/Xid/),
  });
  expect(temperatures(stale)).toEqual([40, 40, 40]);
  for (const { ageMs } of stale.gpus) expect(ageMs).toBeGreaterThan(5000);
  expect(health.gpus.filter(({ verdict }) => verdict === 'ok' || verdict === 'watch')).toEqual([]);
  expect(await textOf(url, 'get_gpu_health')).toMatch(
    /DRIVER_NOT_RESPONDING for \d+ s: .*drain the node and reboot/,
  );
  expect((await agent.health('/healthz')).status).toBe(200);
  expect(await (await agent.health('/readyz')).json()).toEqual({
    ready: true,
    driver: 'notResponding',
    gpus: 3,
  });
  expect(await (await agent.health('/metrics')).text()).toMatch(
    /^k8s_gpu_mcp_driver_state\{state="notResponding"\} 1$/m,
  );

  driver.write({ gpus: gpusAt(60) });
  await until('all are fresh', async () => {
    const inventory = await inventoryOf(url);
    return inventory.driver.state === 'ok' && temperatures(inventory).join() === '60,60,60';
  });
  expect(troubles(await inventoryOf(url))).toEqual([null, null, null]);
  // One of them was being read when it began; the others were not asked any more.
  expect((await gapsOf(url)).flat().sort().join()).toBe('driverNotResponding,driverNotResponding,hung');
});

test(
  'a driver that hangs from the start: the agent is ready, says so, and ends when told',
  options,
  async (context) => {
    const { expect } = context;
    const driver = fakeDriver(context, { hangs: [{}] });
    const agent = await startAgent(context, driver);
    const { url } = agent;

    expect(await (await agent.health('/readyz')).json()).toMatchObject({ ready: true });
    await until(
      'the hang is told',
      async () => (await healthOf(url)).driver.problem?.code === 'DRIVER_NOT_RESPONDING',
    );
    const warnings = agent.log().filter(({ msg }) => msg === 'a driver call does not return');
    expect(warnings.length, 'told before the last thread hangs').toBeLessThan(3);

    agent.child.kill('SIGTERM');

    expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0 });
  },
);

test(
  'who can ask only once is told of a driver that hangs from the start, not to come again',
  options,
  async (context) => {
    const driver = fakeDriver(context, { hangs: [{}] });

    const { code, stdout } = await runAgent(context, {
      args: [...driver.args, '--oneshot=1'],
      env: driver.env,
      input: `${JSON.stringify(toolRequest('get_gpu_health').body)}\n`,
    });

    context.expect(code).toBe(0);
    context.expect(stdout).toMatch(/DRIVER_NOT_RESPONDING for \d+ s: /);
    context.expect(stdout).not.toContain('STARTING');
  },
);

test('a driver that hangs at the start and then answers is used', options, async (context) => {
  const driver = fakeDriver(context, { hangs: [{ symbol: 'nvmlInitWithFlags' }] });
  const agent = await startAgent(context, driver);

  driver.write({ gpus: gpusAt(40) });

  await until('all are read', async () => temperatures(await inventoryOf(agent.url)).join() === '40,40,40');
  // The first init was made by a thread that had been given up: the next driver can be used all the same.
  driver.write({ gpus: gpusAt(41), generation: 1 });
  await until(
    'the next driver is read',
    async () => temperatures(await inventoryOf(agent.url)).join() === '41,41,41',
  );
});

test('a driver that is slow is not called hung', options, async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { delays: [{ ms: 100 }] }); // of each of more than a hundred calls
  const agent = await startAgent(context, driver);

  const { gpus } = await until(
    'a GPU is read, which takes longer than a hang',
    async () => {
      const inventory = await inventoryOf(agent.url);
      return temperatures(inventory).includes(32) && inventory;
    },
    hangLimitMs,
  );

  expect(gpus.map(({ trouble }) => trouble)).toEqual([null, null]);
  expect(agent.log().filter(({ level }) => level === 'warn')).toEqual([]);
  expect(driver.calls()['nvmlInitWithFlags']).toBe(2); // one of them to hear events
});

test('a request that never ends does not keep an agent that is told to end', options, async (context) => {
  const { expect } = context;
  const agent = await startAgent(context, { args: ['--nvml-mode', 'simulated'] });
  await rawCall(context, agent, { bytes: 50 });
  await until('it is being answered', async () => (await callsInFlight(agent)) === 1);

  agent.child.kill('SIGTERM');

  expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, signal: null });
});

test(
  'a GPU that hangs after a reload in which another one went is told by its own name',
  options,
  async (context) => {
    const { expect } = context;
    const [first, second, third] = gpusAt(40);
    if (!first || !second || !third) throw new Error('three GPUs are needed');
    const driver = fakeDriver(context, { gpus: [first, second, third] });
    const { url } = await startAgent(context, driver);
    await until('all are read', async () => temperatures(await inventoryOf(url)).join() === '40,40,40');

    driver.write({
      gpus: [first, third],
      generation: 1,
      hangs: [{ gpu: 1, symbol: 'nvmlDeviceGetTemperature' }],
    });
    const { gpus } = await until(
      'both are seen',
      async () => {
        const inventory = await inventoryOf(url);
        const seen = troubles(inventory);
        return seen.includes('hung') && seen.includes('vanished') && inventory;
      },
      hangLimitMs,
    );

    expect(gpus.map(({ uuid, trouble }) => [uuid, trouble?.kind ?? null])).toEqual([
      [first.uuid, null],
      [third.uuid, 'hung'],
      [second.uuid, 'vanished'],
    ]);
  },
);
