import { test } from 'vitest';

import { startAgent, until } from '../support/agent.ts';
import { gapsOf, healthOf, inventoryOf, type NodeAnswer, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

const options = { timeout: 120_000, concurrent: true };
const patienceMs = 60_000;

function gpusAt(temperatureC: number) {
  return [0, 1, 2, 3].map((index) => h100(index, { temperatureC }));
}

function temperatures({ gpus }: NodeAnswer) {
  return gpus.map(({ temperatureC }) => temperatureC).join();
}

/** Of the ages seen so far the highest: of the slow GPU, and of any other. */
function agesSeen() {
  const seen = { slow: 0, others: 0 };
  return {
    seen,
    add({ gpus }: NodeAnswer) {
      for (const { index, ageMs } of gpus) {
        const whose = index === 1 ? 'slow' : 'others';
        seen[whose] = Math.max(seen[whose], ageMs ?? Number.POSITIVE_INFINITY);
      }
    },
  };
}

test(
  'one GPU is a hundred times slower than the others: they stay fresh, and it says how old it is',
  options,
  async (context) => {
    const { expect } = context;
    const driver = fakeDriver(context, { gpus: gpusAt(40), delays: [{ ms: 1 }] });
    const agent = await startAgent(context, driver);
    await until(
      'all are read',
      async () => temperatures(await inventoryOf(agent.url)) === '40,40,40,40',
      patienceMs,
    );

    const delays = [{ gpu: 1, ms: 100 }, { ms: 1 }];
    driver.write({ gpus: gpusAt(50), delays });
    const ages = agesSeen();
    const watched = async (expected: string) => {
      const inventory = await inventoryOf(agent.url);
      ages.add(inventory);
      return temperatures(inventory) === expected && inventory;
    };
    const quick = await until('the others are read', () => watched('50,40,50,50'), patienceMs);
    await until('the slow one is read, too', () => watched('50,50,50,50'), patienceMs);
    driver.write({ gpus: gpusAt(60), delays });
    await until('the others are read while it is read again', () => watched('60,50,60,60'), patienceMs);
    const last = await until('it is read again', () => watched('60,60,60,60'), patienceMs);

    const [, slow, ...others] = quick.gpus;
    expect(slow?.ageMs).toBeGreaterThan(others[0]?.ageMs ?? Number.NaN);
    expect(ages.seen.others, `beside ${ages.seen.slow} ms of the slow one`).toBeLessThan(ages.seen.slow / 2);
    expect(last.gpus[1]?.ageMs, 'as old as the first of its values').toBeGreaterThan(1000);
    expect(last.gpus.map(({ trouble }) => trouble)).toEqual([null, null, null, null]);
    expect(last.driver).toMatchObject({ state: 'ok', problem: null });
    expect(agent.log().filter(({ level }) => level === 'warn')).toEqual([]);
    expect(await textOf(agent.url, 'get_gpu_health')).toMatch(/Readings at most \d+ s old/);

    driver.write({ gpus: gpusAt(70) });
    await until('all are read', () => watched('70,70,70,70'));
  },
);

test(
  'calls on one GPU take nearly as long as a hang: the others stay fresh all the while',
  options,
  async (context) => {
    const { expect } = context;
    const driver = fakeDriver(context, { gpus: gpusAt(40) });
    const agent = await startAgent(context, driver);
    await until('all are read', async () => temperatures(await inventoryOf(agent.url)) === '40,40,40,40');

    driver.write({ gpus: gpusAt(50), delays: [{ gpu: 1, ms: 3000 }] });
    const ages = agesSeen();
    const inventory = await until(
      'it has not been read for long',
      async () => {
        const now = await inventoryOf(agent.url);
        ages.add(now);
        return (now.gpus[1]?.ageMs ?? 0) > 20_000 && now;
      },
      patienceMs,
    );

    expect(temperatures(inventory)).toBe('50,40,50,50');
    expect(ages.seen.others).toBeLessThan(10_000);
    expect(inventory.gpus.map(({ trouble }) => trouble)).toEqual([null, null, null, null]);
    expect(agent.log().filter(({ level }) => level === 'warn')).toEqual([]);
    const { gpus } = await healthOf(agent.url);
    expect(gpus.map(({ verdict }) => verdict)).toEqual(['ok', 'watch', 'ok', 'ok']);
    expect(gpus[1]?.findings).toMatchObject([
      { text: expect.stringMatching(/^the driver takes long to tell its values: \d+ s$/) },
    ]);

    expect((await gapsOf(agent.url, { gpu: 1 })).flat().at(-1)).toBe('slow');

    driver.write({ gpus: gpusAt(60) });
    await until('all are read', async () => temperatures(await inventoryOf(agent.url)) === '60,60,60,60');
    await until('it is quick again', async () => (await healthOf(agent.url)).gpus[1]?.verdict === 'ok');
    expect((await gapsOf(agent.url, { gpu: 1 })).flat().at(-1)).toBe('slow');
  },
);

test(
  'every call on every GPU takes long: none is told to be well, and its gap has that reason',
  options,
  async (context) => {
    const { expect } = context;
    const driver = fakeDriver(context, { gpus: gpusAt(40) });
    const agent = await startAgent(context, driver);
    await until('all are read', async () => temperatures(await inventoryOf(agent.url)) === '40,40,40,40');

    driver.write({ gpus: gpusAt(50), delays: [{ ms: 2000 }] });
    await until(
      'all are watched',
      async () => (await healthOf(agent.url)).gpus.every(({ verdict }) => verdict === 'watch'),
      patienceMs,
    );

    expect((await gapsOf(agent.url)).map((whys) => whys.at(-1))).toEqual(['slow', 'slow', 'slow', 'slow']);
    driver.write({ gpus: gpusAt(60) });
    await until(
      'all are read again',
      async () => temperatures(await inventoryOf(agent.url)) === '60,60,60,60',
    );
  },
);
