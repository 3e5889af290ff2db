import { expect, test } from 'vitest';
import type { Api, WatchOptions } from '../../src/bridge/cluster/api.ts';
import { WatchList } from '../../src/bridge/cluster/watch-list.ts';
import { Fault } from '../../src/core/fault.ts';
import { createLog } from '../../src/core/log.ts';

const { signal } = new AbortController();

/** A list of names over an API that the test plays. */
function listOf(names: string[]) {
  const state = {
    now: 1_000_000,
    lists: 0,
    failing: null as Fault | null,
    once: false,
    watch: null as Watch | null,
  };
  const api: Api = {
    server: () => 'https://api',
    async get() {
      state.lists++;
      await Promise.resolve();
      const { failing } = state;
      if (state.once) state.failing = null;
      if (failing) throw failing;
      return { metadata: { resourceVersion: '7' }, items: names.map(object) };
    },
    watch: (path, _, { onEvent, signal }) =>
      new Promise((resolve, reject) => {
        state.watch = { path, onEvent, end: resolve, fail: reject, signal };
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const list = new WatchList({
    api,
    path: '/pods',
    question: { verb: 'list', resource: 'pods', namespace: null },
    keep: (raw) => (raw as { metadata: { uid: string } }).metadata.uid,
    log: createLog('error', () => {}),
    life: signal,
    now: () => state.now,
  });
  return { state, read: () => list.read(signal), stop: () => list.stop() };
}

interface Watch extends WatchOptions {
  readonly path: string;
  end(): void;
  fail(error: Error): void;
}

const object = (uid: string) => ({ metadata: { uid } });
const turn = () => new Promise(setImmediate);

test('one list, then events; the watch begins where the list ended', async () => {
  const { state, read } = listOf(['a', 'b']);
  await read();

  state.watch?.onEvent({ type: 'DELETED', object: object('a') });
  state.watch?.onEvent({ type: 'ADDED', object: object('c') });
  state.watch?.onEvent({ type: 'BOOKMARK', object: object('d') });

  expect(await read()).toEqual(['b', 'c']);
  expect(state.lists).toBe(1);
  expect(state.watch?.path).toBe('/pods?watch=true&allowWatchBookmarks=true&resourceVersion=7');
});

test('a connection that died unheard, as in a sleeping laptop, is not believed', async () => {
  const { state, read } = listOf(['a']);
  await read();
  const first = state.watch;

  state.now += 60_000;
  first?.onEvent({ type: 'BOOKMARK', object: object('x') });
  state.now += 119_000;
  await read();
  expect(state.lists).toBe(1);
  state.now += 2_000;
  await read();

  expect(state.lists).toBe(2);
  expect(first?.signal.aborted).toBe(true);
});

test('a watch that lived is replaced at once, one that dies young with growing pauses', async () => {
  const { state, read } = listOf(['a']);
  await read();
  state.now += 30_000;
  state.watch?.end();
  await turn();
  await read();
  expect(state.lists).toBe(2);

  for (const pauseMs of [500, 1_000, 2_000, 4_000, 5_000, 5_000]) {
    const before = state.lists;
    state.watch?.fail(new Error('reset'));
    await turn();
    state.now += pauseMs - 1;
    await read();
    expect(state.lists).toBe(before);
    state.now += 1;
    await read();
    expect(state.lists).toBe(before + 1);
  }
});

test('a refusal is remembered for a while, other failures are not', async () => {
  const { state, read } = listOf(['a']);
  state.failing = new Fault('no', { code: 'CLUSTER_FORBIDDEN' });
  await expect(read()).rejects.toBe(state.failing);
  await expect(read()).rejects.toBe(state.failing);
  expect(state.lists).toBe(1);

  state.now += 10_000;
  state.failing = new Fault('down', { code: 'CLUSTER_UNREACHABLE' });
  await expect(read()).rejects.toBe(state.failing);
  state.failing = null;

  expect(await read()).toEqual(['a']);
});

test('who joins a list that fails tries once more, unless it was refused', async () => {
  const { state, read } = listOf(['a']);
  state.once = true;
  const down = new Fault('down', { code: 'CLUSTER_UNREACHABLE' });
  state.failing = down;
  const [first, second] = await Promise.allSettled([read(), read()]);

  expect(first).toEqual({ status: 'rejected', reason: down });
  expect(second).toEqual({ status: 'fulfilled', value: ['a'] });

  const refused = listOf(['a']);
  refused.state.failing = new Fault('no', { code: 'CLUSTER_FORBIDDEN' });
  await Promise.allSettled([refused.read(), refused.read()]);
  expect(refused.state.lists).toBe(1);
});

test('stopped: the watch ends, the next read lists', async () => {
  const { state, read, stop } = listOf(['a']);
  await read();

  stop();
  expect(state.watch?.signal.aborted).toBe(true);
  await turn();
  await read();

  expect(state.lists).toBe(2);
});
