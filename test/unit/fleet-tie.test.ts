import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';

import { tie, tieFor } from '../../src/bridge/fleet/tie.ts';
import { isTimeout } from '../../src/core/time-limit.ts';

test('a tie aborts with the first of the signals that it follows, and for its reason', () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const { signal } = tie(one.signal, two.signal);

  two.abort(new Error('the host has left'));
  one.abort(new Error('too late'));

  expect(signal.reason).toEqual(new Error('the host has left'));
});

test('it is aborted from the start where one of them is', () => {
  const { signal } = tie(new AbortController().signal, AbortSignal.abort(new Error('gone')));

  expect(signal.reason).toEqual(new Error('gone'));
});

test('it aborts when its time is up, as a time-out', async () => {
  const { signal } = tieFor(5, new AbortController().signal);

  await sleep(100);

  expect(isTimeout(signal.reason)).toBe(true);
});

// AbortSignal.any left 10 KB for each call in the signal that says whether a node has gone: 555 MB after 45,000 calls.
test('once released it leaves nothing behind: no listener in a signal that lives on, and no timer', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { signal } = new AbortController();

  for (let calls = 0; calls < 100; calls += 1) {
    const fanOut = tieFor(1000, signal);
    tie(fanOut.signal, signal).release();
    fanOut.release();
  }

  const listeners = getEventListeners(signal, 'abort').length;
  expect({ listeners, timers: vi.getTimerCount() }).toEqual({ listeners: 0, timers: 0 });
});

test('a hundred nodes may follow one call: Node does not warn of a leak on stderr', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const { signal } = tie(new AbortController().signal);

  for (let nodes = 0; nodes < 100; nodes += 1) tie(signal);
  await sleep(20); // warnings come in a later turn

  expect(warnings).toEqual([]);
});
