import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import { samplerOf, seen } from '../support/agent-threads.ts';

const soon = { timeout: 10_000, interval: 5 };

test.concurrent('every GPU is read again and again', async (context) => {
  const { sampler, driver } = samplerOf(context);
  await sampler.firstSample;
  expect(seen(sampler)).toEqual([40, 40]);

  driver.temperatureC = 41;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([41, 41]), soon);
  expect(driver).toMatchObject({ spawned: 1, opened: 1 });
});

test.concurrent('a driver that cannot be opened is tried again, and says why until then', async (context) => {
  const refuses = new Fault('no such file', { code: 'DRIVER_NOT_FOUND' });
  const { sampler, driver, log } = samplerOf(context, { refuses });
  await sampler.firstSample;
  expect(sampler.snapshot()).toMatchObject({
    driver: { state: 'unavailable', code: 'DRIVER_NOT_FOUND', message: 'no such file', hint: refuses.hint },
    gpus: [],
  });

  driver.refuses = undefined;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40]), soon);
  expect(log.filter((line) => line.includes('driver unavailable'))).toHaveLength(1);
});

test.concurrent('a driver that has gone away is opened anew and read at once', async (context) => {
  const { sampler, driver } = samplerOf(context, { goneLives: 1 }, { intervalMs: () => 3_600_000 });

  await sampler.firstSample;

  expect(seen(sampler)).toEqual([40, 40]);
  expect(driver.opened).toBe(2);
});

test.concurrent('a driver that says again and again that it has gone is not opened without end', async (context) => {
  const { sampler, driver } = samplerOf(context, { goneLives: 1000 }, { intervalMs: () => 3_600_000 });

  await sampler.firstSample;

  expect(driver.opened).toBe(2);
  expect(seen(sampler)).toEqual(['driverUnavailable', 'driverUnavailable']);
});

test.concurrent('a driver without GPUs is opened again, until there are some', async (context) => {
  const { sampler, driver, log } = samplerOf(context, { gpus: 0 });
  await sampler.firstSample;
  expect(sampler.snapshot()).toMatchObject({ driver: { state: 'ok' }, gpus: [] });

  driver.gpus = 1;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([40]), soon);
  expect(log.filter((line) => line.includes('driver opened'))).toHaveLength(2);
});

test.concurrent('after stopping nothing more is read', async (context) => {
  const { sampler, driver } = samplerOf(context);
  await sampler.firstSample;

  sampler.stop();
  driver.temperatureC = 41;
  await sleep(100);

  expect(seen(sampler)).toEqual([40, 40]);
});

test.concurrent('whoever has a reason need not wait for the next round', async (context) => {
  const { sampler, driver } = samplerOf(context, {}, { intervalMs: () => 3_600_000 });
  await sampler.firstSample;
  await sleep(0); // the wait has begun

  driver.temperatureC = 41;
  sampler.hurry();

  await vi.waitFor(() => expect(seen(sampler)).toEqual([41, 41]), soon);
});

test.concurrent('each round is told of when it is over, also one in which there is no driver', async (context) => {
  const refuses = new Fault('no such file', { code: 'DRIVER_NOT_FOUND' });
  for (const [told, state] of [
    [{}, 'ok'],
    [{ refuses }, 'unavailable'],
  ] as const) {
    const states: string[] = [];
    samplerOf(context, told, { onRound: ({ driver }) => void states.push(driver.state) });

    await vi.waitFor(() => expect(states).toContain(state), soon);
  }
});

test.concurrent('what is read while another GPU takes long is told before the round is over', async (context) => {
  const rounds: (number | string)[][] = [];
  const { sampler } = samplerOf(
    context,
    { slow: true, hanging: new Set([1]), between: { index: 1, forMs: 7000 } },
    { onRound: () => void rounds.push(seen(sampler)) },
  );

  await vi.waitFor(() => expect(rounds).toEqual([[40, 'notReady']]), soon);
  expect(sampler.snapshot().gpus[1]).toMatchObject({ tookMs: 7000, trouble: null });
});

test.concurrent('a driver that offers another number of GPUs is opened anew: who came is read, who went has vanished', async (context) => {
  const { sampler, driver } = samplerOf(context);
  await sampler.firstSample;

  driver.gpus = 3;
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40, 40]), soon);
  expect(driver.opened).toBe(2);
  driver.gpus = 1;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 'vanished', 'vanished']), soon);
  expect(driver).toMatchObject({ opened: 3, spawned: 1 });
});
