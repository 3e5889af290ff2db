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

test.concurrent('a GPU that hangs costs its thread, and another goes on with the others', async (context) => {
  const { sampler, driver, log } = samplerOf(context);
  await sampler.firstSample;

  driver.hanging.add(0);
  await vi.waitFor(() => expect(seen(sampler)).toEqual(['hung', 40]), soon);
  driver.temperatureC = 41;

  await vi.waitFor(() => expect(seen(sampler)).toEqual(['hung', 41]), soon);
  expect(driver).toMatchObject({ spawned: 2, abandoned: 1, opened: 2 });
  expect(log.filter((line) => line.includes('does not return'))).toHaveLength(1);
});

test.concurrent('control: without that limit one hung GPU stops all', async (context) => {
  const { sampler, driver } = samplerOf(context, {}, { hangAfterMs: 3_600_000 });
  await sampler.firstSample;

  driver.hanging.add(0);
  await sleep(100);
  driver.temperatureC = 41;
  await sleep(1000);

  expect(seen(sampler)).toEqual([40, 40]);
  expect(driver.spawned).toBe(1);
});

test.concurrent('a GPU is read again once its call has returned', async (context) => {
  const { sampler, driver } = samplerOf(context, { hanging: new Set([1]) });
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 'hung']), soon);

  driver.hanging.clear();
  driver.temperatureC = 42;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([42, 42]), soon);
  expect(driver.spawned).toBe(2);
});

test.concurrent('two threads are replaced at most; the third is kept, and sampling goes on when its call returns', async (context) => {
  const { sampler, driver } = samplerOf(context, { gpus: 4, hanging: new Set([0, 1, 2]) });
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('notResponding'), soon);
  const atLast = { ...driver };

  await sleep(700); // longer than three more hangs would take
  expect(driver).toMatchObject({ spawned: 3, abandoned: 2, opened: atLast.opened });
  expect(seen(sampler)).toEqual(['hung', 'hung', 'notReady', 'notReady']);

  driver.hanging.delete(2);
  await vi.waitFor(() => expect(seen(sampler)).toEqual(['hung', 'hung', 40, 40]), soon);
  expect(sampler.snapshot().driver.state).toBe('ok');
  driver.hanging.clear();
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40, 40, 40]), soon);
  expect(driver.spawned).toBe(3);
});

test.concurrent('a GPU whose calls take longer than a hang each time does not keep the others from being read', async (context) => {
  const { sampler, driver } = samplerOf(context, { hangMs: 300 });
  await sampler.firstSample;

  driver.hanging.add(0);
  await sleep(3500);
  driver.temperatureC = 41;

  await vi.waitFor(() => expect(seen(sampler)).toEqual(['hung', 41]), soon);
  expect(sampler.snapshot().driver.state).toBe('ok');
  expect(driver.spawned).toBeGreaterThan(3);
  expect(driver.spawned).toBeLessThan(9); // asked all the time it would have hung a dozen times
  driver.hanging.clear();
  await vi.waitFor(() => expect(seen(sampler)).toEqual([41, 41]), soon);
});

test.concurrent('a driver that hangs when it is opened is not responding, and is used when it answers', async (context) => {
  const { sampler, driver } = samplerOf(context, { hanging: new Set(['open']) });
  await vi.waitFor(
    () => expect(sampler.snapshot().driver).toMatchObject({ state: 'notResponding', info: null }),
    soon,
  );

  driver.hanging.clear();

  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40]), soon);
  expect(sampler.snapshot().driver.state).toBe('ok');
});

test.concurrent('that it does not respond is known at the first hang, and since when at every later one', async (context) => {
  const { sampler, driver } = samplerOf(context, { hanging: new Set(['open']) });

  await sampler.firstSample;

  const atFirst = sampler.snapshot().driver;
  expect(atFirst).toMatchObject({ state: 'notResponding', info: null });
  expect(driver.spawned).toBe(2);
  await vi.waitFor(() => expect(driver.spawned).toBe(3), soon);
  await sleep(400); // longer than the third takes to hang
  expect(sampler.snapshot().driver).toEqual(atFirst);
});

test.concurrent('a driver that has gone away and hangs when it is opened anew does not respond; what comes back is counted anew', async (context) => {
  const { sampler, driver } = samplerOf(context);
  await sampler.firstSample;

  driver.hanging.add('open');
  driver.goneLives = 1;
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('notResponding'), soon);
  expect(driver.spawned).toBe(2);
  driver.gpus = 3;
  driver.hanging.clear();

  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40, 40]), soon);
});

test.concurrent('a driver that hung when it was opened and then fails is unavailable', async (context) => {
  const refuses = new Fault('no such file', { code: 'DRIVER_NOT_FOUND' });
  const { sampler, driver } = samplerOf(context, { hanging: new Set(['open']), refuses });
  await sampler.firstSample;

  driver.hanging.clear();

  await vi.waitFor(
    () => expect(sampler.snapshot().driver).toMatchObject({ state: 'unavailable', code: 'DRIVER_NOT_FOUND' }),
    soon,
  );
});

test.concurrent('a driver that is slow is not hung, as long as calls return', async (context) => {
  const { sampler, driver } = samplerOf(context, { slow: true });
  await sampler.firstSample;

  driver.hanging.add(0);
  await sleep(1000);
  driver.hanging.clear();
  driver.temperatureC = 41;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([41, 41]), soon);
  expect(driver).toMatchObject({ spawned: 1, abandoned: 0 });
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
