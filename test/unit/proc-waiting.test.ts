import { expect, test } from 'vitest';

import { ProcessBook } from '../../src/server/proc/process-book.ts';
import { gpu } from '../support/gpus.ts';
import { bookOf, gpus, listed, running, seen } from '../support/process-book.ts';

const wedged = '71 5 3'; // thread, and for how long it has run

function waitingMs(book: ProcessBook): number | null | undefined {
  const told = seen(book);
  return Array.isArray(told) ? told[0]?.waitingMs : undefined;
}

test('for how long every look has found a thread in the kernel is told, though the first thread sleeps', () => {
  const { book, onNode, waiting, list } = bookOf();
  onNode.set(7, running('S'));
  const told = (threads: readonly string[], atMs: number) => {
    waiting.set(7, threads);
    list([listed(7)], 0, atMs);
    return waitingMs(book);
  };

  expect(told([wedged, '72 1 1'], 1000)).toBe(0);
  expect(told([wedged], 31_000)).toBe(30_000);
  expect(told([wedged, '73 9 9'], 61_000)).toBe(60_000);
  expect(told(['73 9 9'], 71_000)).toBe(10_000);
  expect(told([], 81_000)).toBeNull();
  expect(told([wedged], 91_000)).toBe(0); // not across a pause
});

test('a thread that is in the kernel at each look and runs in between is at work', () => {
  const { book, onNode, waiting, list } = bookOf();
  onNode.set(7, running('D'));

  for (const [at, ran] of [5, 6, 8, 9].entries()) {
    waiting.set(7, [`7 ${ran} 0`]);
    list([listed(7)], 0, 60_000 * at);
    expect(waitingMs(book)).toBe(0);
  }
});

test('another process that has the pid now has not waited', () => {
  const { book, onNode, waiting, list } = bookOf();
  waiting.set(7, [wedged]);
  onNode.set(7, running('D', 5));
  list([listed(7)], 0, 0);
  onNode.set(7, running('D', 99));
  list([listed(7)], 0, 60_000);

  expect(waitingMs(book)).toBe(0);
});

test('the threads of a process are looked at once in ten seconds, however many GPUs it is on and whoever asks', () => {
  let looks = 0;
  const book = new ProcessBook({
    onNode: () => running(),
    waitingThreads: () => {
      looks += 1;
      return [wedged];
    },
    allocations: () => ({ reason: 'none' }),
  });
  const answer = { readAtMs: 1, answer: { value: [listed(7)] } };
  const askAt = (atMs: number) => book.update(gpus, new Map(gpus.map(({ index }) => [index, answer])), atMs);

  for (const atMs of [0, 5000, 9999]) askAt(atMs);
  expect(looks).toBe(1);
  expect(waitingMs(book)).toBe(0); // nobody has looked since
  askAt(10_000);
  expect(looks).toBe(2);
  expect(waitingMs(book)).toBe(10_000);
});

test('the wait of who left the list goes on, and of who is on a GPU that lists nothing any more', () => {
  const { book, onNode, waiting, list, lose } = bookOf();
  onNode.set(7, running('S'));
  list([listed(7)], 0, 0);
  waiting.set(7, [wedged]);
  list([], 0, 10_000);
  list([], 0, 40_000);
  expect(seen(book)).toMatchObject([{ pid: 7, left: true, waitingMs: 30_000 }]);

  lose(70_000);
  lose(100_000);

  expect(book.view(gpus, 0).gpus[0]?.stuck).toMatchObject([{ pid: 7, left: true, waitingMs: 90_000 }]);
});

test('who begins to hang when the GPU is lost already is found', () => {
  const { book, onNode, waiting, list, lose } = bookOf();
  onNode.set(7, running('S'));
  onNode.set(8, running('S'));
  list([listed(7), listed(8)], 0, 0);
  lose(10_000);
  expect(book.view(gpus, 0).gpus[0]?.stuck).toEqual([]);

  waiting.set(7, [wedged]);
  lose(20_000);
  lose(80_000);

  expect(book.view(gpus, 0).gpus[0]?.stuck).toMatchObject([{ pid: 7, waitingMs: 60_000 }]);
});

test('on a GPU that is not asked in a new driver life those are looked at who are still there', () => {
  const { book, onNode, waiting, list } = bookOf();
  onNode.set(7, running('S'));
  onNode.set(8, running('S'));
  waiting.set(7, [wedged]);
  list([listed(7), listed(8)], 0, 0);
  onNode.delete(8);

  book.update([gpu(0, {}, { trouble: 'hung' })], new Map(), 60_000);

  expect(seen(book)).toMatchObject([{ pid: 7, left: false, waitingMs: 60_000 }]);
  expect(seen(book)).toHaveLength(1);
});

test('the threads of many processes are looked at a little at a time, so that a probe is answered in between', async () => {
  const clock = { ms: 0 };
  const looked: number[] = [];
  const book = new ProcessBook({
    onNode: () => running(),
    waitingThreads: (pid) => {
      clock.ms += 4;
      looked.push(pid);
      return [];
    },
    allocations: () => ({ reason: 'none' }),
  });
  const answer = { readAtMs: 1, answer: { value: [1, 2, 3, 4, 5, 6].map((pid) => listed(pid)) } };
  const all = new Map([[0, answer]]);

  const ahead = book.lookAhead(all, () => clock.ms);
  expect(looked).toEqual([1, 2]);
  await ahead;
  book.update(gpus, all, clock.ms);

  expect(looked).toEqual([1, 2, 3, 4, 5, 6]); // and none of them again
});
