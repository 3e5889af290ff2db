import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { samplerOf, seen } from '../support/agent-threads.ts';

const soon = { timeout: 10_000, interval: 5 };

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
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('ok'), soon);
  driver.hanging.clear();
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40, 40, 40]), soon);
  expect(driver.spawned).toBe(3);
});

test.concurrent('that nothing responds any more is told at once, as no round ends until something does', async (context) => {
  const states: string[] = [];
  const onRound = ({ driver: { state } }: Snapshot) => states.push(state);
  const { sampler, driver } = samplerOf(context, { gpus: 3 }, { onRound });
  await sampler.firstSample;

  for (const index of [0, 1, 2]) driver.hanging.add(index);

  await vi.waitFor(() => expect(states.at(-1)).toBe('notResponding'), soon);
  expect(states.filter((state) => state === 'notResponding')).toHaveLength(1);
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

test.concurrent('a driver whose every call takes longer than a hang is not told to respond whenever one returns', async (context) => {
  const { sampler, driver } = samplerOf(context, { hangMs: 300 });
  await sampler.firstSample;

  for (const what of ['open', 0, 1] as const) driver.hanging.add(what);
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('notResponding'), soon);
  const atFirst = sampler.snapshot().driver;
  const states = new Set<string>();
  for (let look = 0; look < 600; look++) {
    states.add(JSON.stringify(sampler.snapshot().driver));
    await sleep(5);
  }

  expect([...states]).toEqual([JSON.stringify(atFirst)]);
  driver.hanging.clear();
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('ok'), soon);
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

test.concurrent('after a spell in which every call took too long, a GPU that hangs costs its thread again and not all', async (context) => {
  const { sampler, driver } = samplerOf(context, { hangMs: 300 });
  await sampler.firstSample;
  for (const what of ['open', 0, 1] as const) driver.hanging.add(what);
  await vi.waitFor(() => expect(sampler.snapshot().driver.state).toBe('notResponding'), soon);
  driver.hanging.clear();
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 40]), soon);

  driver.hangMs = Number.POSITIVE_INFINITY;
  driver.hanging.add(1);
  await vi.waitFor(() => expect(seen(sampler)).toEqual([40, 'hung']), soon);
  driver.temperatureC = 41;

  await vi.waitFor(() => expect(seen(sampler)).toEqual([41, 'hung']), soon);
  expect(sampler.snapshot().driver.state).toBe('ok');
});
