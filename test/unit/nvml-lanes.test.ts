import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';

import type { Driver } from '../../src/core/driver.ts';
import { nvmlLanes } from '../../src/server/nvml/lane.ts';

/** As worker.ts answers: opening tells which thread it is and how often it was closed, and each reading takes 100 ms. */
const answering = `
import { parentPort, threadId } from 'node:worker_threads';
let closed = 0;
parentPort.on('message', ({ op }) => {
  if (op === 'close') closed++;
  const value = op === 'open' ? { driverVersion: { value: String(closed) }, gpuCount: threadId } : null;
  const answer = JSON.stringify({ taken: [], ended: { value } });
  setTimeout(() => parentPort.postMessage(answer), op === 'read' ? 100 : 0);
});`;
const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(answering)}`);

async function threadOf(lane: Driver): Promise<{ thread: number; closed: string }> {
  const { gpuCount, driverVersion } = await lane.open();
  return { thread: gpuCount, closed: 'value' in driverVersion ? driverVersion.value : '' };
}

test('a thread that was given up is used again once its call has returned and it has closed the driver', async () => {
  const spawn = nvmlLanes(workerUrl, undefined);
  const first = spawn();
  const { thread } = await threadOf(first);

  const reading = first.readAll([0], { slowly: true, againMs: 0 }, () => undefined);
  first.abandon();
  const second = spawn();
  expect((await threadOf(second)).thread).not.toBe(thread);
  await reading;

  await vi.waitFor(() => expect(spawn()).toBe(first));
  expect(await threadOf(first)).toEqual({ thread, closed: '1' });
});

test('of two that come back one is kept', async () => {
  const spawn = nvmlLanes(workerUrl, undefined);
  const [first, second] = [spawn(), spawn()];
  for (const lane of [first, second]) {
    void lane.readAll([0], { slowly: true, againMs: 0 }, () => undefined);
    lane.abandon();
  }
  await sleep(500);

  const kept = spawn();
  expect([first, second]).toContain(kept);
  expect([first, second]).not.toContain(spawn());
  expect(await threadOf(kept)).toMatchObject({ closed: '1' });
});

test('a thread whose call has not returned is not used again', async () => {
  const spawn = nvmlLanes(workerUrl, undefined);
  const first = spawn();
  await first.open();

  void first.readAll([0], { slowly: true, againMs: 0 }, () => undefined);
  first.abandon();
  await sleep(20);

  expect(spawn()).not.toBe(first);
});
