import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'vitest';

import { type ListeningAgent, startAgent, until } from '../support/agent.ts';
import { healthOf, inventoryOf, type NodeAnswer, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

const options = { timeout: 180_000, concurrent: true };
/** A call that does not return for 5 s has hung; after two threads that were given up the third is kept: 15 s. */
const hangLimitMs = 60_000;

function gpusAt(temperatureC: number, count = 3) {
  return Array.from({ length: count }, (_, index) => h100(index, { temperatureC }));
}

function temperatures({ gpus }: NodeAnswer) {
  return gpus.map(({ temperatureC }) => temperatureC);
}

function ages({ gpus }: NodeAnswer) {
  return gpus.map(({ ageMs }) => ageMs ?? Number.NaN);
}

async function started(context: Parameters<typeof fakeDriver>[0], count = 3) {
  const driver = fakeDriver(context, { gpus: gpusAt(40, count) });
  const agent = await startAgent(context, driver);
  await allAt(agent, 40);
  return { driver, agent, url: agent.url };
}

function allAt({ url }: ListeningAgent, temperatureC: number, limitMs = hangLimitMs) {
  const fresh = async () => {
    const inventory = await inventoryOf(url);
    return temperatures(inventory).every((each) => each === temperatureC) && inventory;
  };
  return until(`all are at ${temperatureC} °C`, fresh, limitMs);
}

test.for([6, 45])(
  'every call takes %i s: answers go on at once with their age, and all is fresh when that ends',
  options,
  async (seconds, context) => {
    const { expect } = context;
    const { driver, agent, url } = await started(context);

    driver.write({ gpus: gpusAt(50), delays: [{ ms: seconds * 1000 }] });
    const stale = await until(
      'the driver is told as not responding',
      async () => {
        expect((await agent.health('/healthz')).status).toBe(200);
        const inventory = await inventoryOf(url);
        return inventory.driver.state === 'notResponding' && inventory;
      },
      hangLimitMs,
    );
    await sleep(1000);
    const later = await inventoryOf(url);

    expect(stale.driver.problem?.code).toBe('DRIVER_NOT_RESPONDING');
    expect(temperatures(stale)).toEqual([40, 40, 40]);
    for (const [index, age] of ages(later).entries()) {
      expect(age).toBeGreaterThan(5000);
      expect(age).toBeGreaterThanOrEqual((ages(stale)[index] ?? 0) + 1000);
    }
    expect(await textOf(url, 'get_gpu_health')).toMatch(/DRIVER_NOT_RESPONDING for \d+ s/);
    expect((await agent.health('/readyz')).status).toBe(200);

    driver.write({ gpus: gpusAt(60) });
    const back = await allAt(agent, 60, 100_000);
    expect(back.gpus.map(({ trouble }) => trouble)).toEqual([null, null, null]);
    expect(agent.child.exitCode).toBeNull();
  },
);

test(
  'all GPUs are lost: each is known by name, none is told as well, and all come back',
  options,
  async (context) => {
    const { expect } = context;
    const { driver, agent, url } = await started(context);

    driver.write({ gpus: gpusAt(50), returns: [0, 1, 2].map((gpu) => ({ gpu, code: 15 })) });
    const { gpus } = await until('all are told as failed', async () => {
      const health = await healthOf(url);
      return health.gpus.every(({ verdict }) => verdict === 'failed') && health;
    });
    // A sample in the middle of which a GPU was lost still has what was read before.
    const inventory = await until('a whole sample was taken since', async () => {
      const told = await inventoryOf(url);
      return told.gpus.every(({ missing }) => 'temperatureC' in missing) && told;
    });

    expect(gpus.map(({ action, uuid, pciAddress }) => [action, uuid, pciAddress])).toEqual([
      ['rebootNode', 'GPU-00000000-0000-4000-8000-000000000000', '0000:1b:00.0'],
      ['rebootNode', 'GPU-00000000-0000-4000-8000-000000000001', '0000:2b:00.0'],
      ['rebootNode', 'GPU-00000000-0000-4000-8000-000000000002', '0000:3b:00.0'],
    ]);
    expect(inventory.gpus.map(({ trouble, missing }) => [trouble?.kind, missing['temperatureC']])).toEqual(
      Array.from({ length: 3 }, () => ['lost', 'gpuLost']),
    );

    driver.write({ gpus: gpusAt(60) });
    await allAt(agent, 60);
    expect((await healthOf(url)).gpus.map(({ verdict }) => verdict)).toEqual(['ok', 'ok', 'ok']);
  },
);

test('a GPU that needs a reset says so, with what to do; the others stay fresh', options, async (context) => {
  const { expect } = context;
  const { driver, agent, url } = await started(context);

  driver.write({ gpus: gpusAt(50), returns: [{ gpu: 1, code: 16 }] });
  const inventory = await until('it is told', async () => {
    const seen = await inventoryOf(url);
    return temperatures(seen).join() === '50,,50' && seen;
  });
  const { gpus } = await healthOf(url);

  expect(inventory.gpus[1]).toMatchObject({ missing: { temperatureC: 'resetRequired' }, trouble: null });
  expect(gpus.map(({ verdict, action }) => [verdict, action])).toEqual([
    ['ok', 'none'],
    ['failed', 'resetGpu'],
    ['ok', 'none'],
  ]);
  expect(gpus[1]).toMatchObject({ uuid: 'GPU-00000000-0000-4000-8000-000000000001' });

  driver.write({ gpus: gpusAt(60) });
  await allAt(agent, 60);
});

test('of 16 GPUs one hangs: 15 stay fresh', options, async (context) => {
  const { expect } = context;
  const { driver, agent, url } = await started(context, 16);

  driver.write({ gpus: gpusAt(50, 16), hangs: [{ gpu: 11 }] });
  await until(
    'it is told',
    async () => (await inventoryOf(url)).gpus[11]?.trouble?.kind === 'hung',
    hangLimitMs,
  );
  driver.write({ gpus: gpusAt(60, 16), hangs: [{ gpu: 11 }] });
  const { gpus } = await until('the others are read', async () => {
    const seen = await inventoryOf(url);
    return temperatures(seen).filter((each) => each === 60).length === 15 && seen;
  });

  expect(gpus.flatMap(({ index, trouble }) => (trouble ? [[index, trouble.kind]] : []))).toEqual([
    [11, 'hung'],
  ]);
  expect(gpus[11]?.temperatureC).toBe(40);
  expect(new Set(gpus.map(({ uuid }) => uuid)).size).toBe(16);
  expect(gpus[15]?.pciAddress).toBe('0001:8b:00.0');

  driver.write({ gpus: gpusAt(70, 16) });
  await allAt(agent, 70);
});

test(
  'a GPU that is a hundred times slower than its neighbours is not called hung, and they stay fresh',
  options,
  async (context) => {
    const { expect } = context;
    const { driver, agent, url } = await started(context);

    driver.write({ gpus: gpusAt(50), delays: [{ gpu: 1, ms: 5 }] }); // the fake's own calls take a hundredth of that
    await allAt(agent, 50);
    const oldest: [number, number, number] = [0, 0, 0];
    for (let look = 0; look < 100; look++) {
      for (const [index, age] of ages(await inventoryOf(url)).entries())
        oldest[index] = Math.max(oldest[index] ?? 0, age);
      await sleep(20);
    }

    expect(Math.max(...oldest)).toBeLessThan(5000);
    expect((await inventoryOf(url)).gpus.map(({ trouble }) => trouble)).toEqual([null, null, null]);
    expect(agent.log().filter(({ level }) => level === 'warn')).toEqual([]);
  },
);

test(
  'a GPU whose calls take 6 s each, as with dead firmware, does not keep the others from being read',
  options,
  async (context) => {
    const { expect } = context;
    const { driver, agent, url } = await started(context);

    driver.write({ gpus: gpusAt(50), delays: [{ gpu: 1, ms: 6000 }] });
    await until(
      'it is told',
      async () => (await inventoryOf(url)).gpus[1]?.trouble?.kind === 'hung',
      hangLimitMs,
    );
    await sleep(20_000); // time for more hangs than threads may be given up at once
    driver.write({ gpus: gpusAt(60), delays: [{ gpu: 1, ms: 6000 }] });
    const seen = await until('the others are read', async () => {
      const inventory = await inventoryOf(url);
      return temperatures(inventory).join() === '60,40,60' && inventory;
    });

    expect(seen.driver).toMatchObject({ state: 'ok', problem: null });
    expect(seen.gpus.map(({ trouble }) => trouble?.kind ?? null)).toEqual([null, 'hung', null]);

    driver.write({ gpus: gpusAt(70) });
    await allAt(agent, 70);
  },
);

test(
  'a GPU comes and another goes while the driver stays loaded: the one is read, the other has vanished',
  options,
  async (context) => {
    const { expect } = context;
    const { driver, url } = await started(context);

    driver.write({ gpus: gpusAt(50, 4) });
    const four = await until('the fourth is read', async () => {
      const inventory = await inventoryOf(url);
      return temperatures(inventory).join() === '50,50,50,50' && inventory;
    });
    driver.write({ gpus: gpusAt(60, 2) });
    const two = await until('two are told as gone', async () => {
      const inventory = await inventoryOf(url);
      return inventory.gpus.map(({ trouble }) => trouble?.kind).join() === ',,vanished,vanished' && inventory;
    });

    expect(four.gpus.map(({ trouble }) => trouble)).toEqual([null, null, null, null]);
    expect(temperatures(two)).toEqual([60, 60, null, null]);
  },
);
