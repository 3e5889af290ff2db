import { expect, test } from 'vitest';

import { ProcessBook } from '../../src/server/proc/process-book.ts';
import { gpu } from '../support/gpus.ts';
import { bookOf, given, gpus, listed, running, seen, uuid } from '../support/process-book.ts';

test('a GPU that nobody has asked is not ready, and not without processes', () => {
  expect(bookOf().book.view(gpus, 0).gpus).toEqual([
    { index: 0, readAtMs: null, processes: { missing: 'notReady' }, stuck: [], holders: [], offered: null },
    { index: 1, readAtMs: null, processes: { missing: 'notReady' }, stuck: [], holders: [], offered: null },
  ]);
});

test('a process is told with the containers that were given its GPU, by UUID or by device file', () => {
  const { book, onNode, list } = bookOf([
    given('a', [uuid(0)]),
    given('b', ['nvidia1']),
    given('c', [`${uuid(1)}::3`]),
  ]);
  onNode.set(7, running());

  list([listed(7)], 0);
  list([listed(7)], 1);

  expect(seen(book, 0)).toMatchObject([{ holders: [{ pod: 'a' }] }]);
  expect(seen(book, 1)).toMatchObject([{ holders: [{ pod: 'c' }, { pod: 'b' }] }]);
});

test('why the kubelet tells nothing is told', () => {
  expect(bookOf('no such socket').book.view(gpus, 0).podResources).toEqual({
    readable: false,
    reason: 'no such socket',
    ageMs: null,
  });
});

test('how old the kubelet’s word is is told, as of when the holders were told by it', () => {
  let readAtMs = 100;
  const allocations = () => ({ allocations: [], offered: null, readAtMs });
  const book = new ProcessBook({ onNode: () => running(), allocations });
  book.update(gpus, new Map(), 200);
  readAtMs = 5000; // nobody has used that yet

  expect(book.view(gpus, 5100).podResources).toEqual({ readable: true, reason: null, ageMs: 5000 });
});

test.for(['D', 'Z'])('a process that left the list and is still there in state %s is kept', (state) => {
  const { book, onNode, list } = bookOf();
  onNode.set(7, running('R'));
  list([listed(7)]);

  onNode.set(7, running(state));
  list([]);
  expect(seen(book)).toMatchObject([{ pid: 7, left: true, onNode: { state: { value: state } } }]);
  list([]);
  expect(seen(book)).toHaveLength(1); // for as long as it is there

  onNode.delete(7);
  list([]);
  expect(seen(book)).toEqual([]);
});

test('a GPU that is lost lists nothing any more: who was on it and cannot end is told by itself', () => {
  const { book, onNode, list } = bookOf();
  onNode.set(7, running('R'));
  onNode.set(8, running('R'));
  list([listed(7), listed(8)]);

  onNode.set(7, running('D'));
  book.update(gpus, new Map([[0, { readAtMs: 2, answer: { missing: 'gpuLost' } }]]), 2);

  expect(book.view(gpus, 0).gpus[0]).toMatchObject({
    processes: { missing: 'gpuLost' },
    stuck: [{ pid: 7, left: true, onNode: { state: { value: 'D' } } }],
  });
});

test('a process that ended as it should, and another that has its pid now, are not kept', () => {
  const { book, onNode, list } = bookOf();
  onNode.set(7, running('R'));
  onNode.set(8, running('R'));
  list([listed(7), listed(8)]);

  onNode.set(7, running('S'));
  onNode.set(8, running('D', 99));
  list([]);

  expect(seen(book)).toEqual([]);
});

test('a GPU that cannot be asked any more keeps what was known of it', () => {
  const { book, onNode, list } = bookOf();
  onNode.set(7, running());
  list([listed(7)]);

  book.update(gpus, new Map(), 2);

  expect(seen(book)).toMatchObject([{ pid: 7 }]);
});

test('a GPU is offered to pods if the kubelet has it, or a part of it, to give', () => {
  const offered = (devices: readonly string[] | null) => {
    const book = new ProcessBook({
      onNode: () => running(),
      allocations: () => ({ allocations: [], offered: devices, readAtMs: 0 }),
    });
    const nothing = { readAtMs: 1, answer: { value: [] } };
    book.update(gpus, new Map(gpus.map(({ index }) => [index, nothing])), 1);
    return book.view(gpus, 0).gpus.map((each) => each.offered);
  };

  expect(offered([`${uuid(1)}::0`])).toEqual([false, true]);
  expect(offered(['nvidia0/gi1', uuid(0)])).toEqual([true, false]);
  expect(offered(null)).toEqual([null, null]);
});

test('after a reload in which a GPU has gone its processes are its own, and not of the GPU that has its index now', () => {
  const { book, onNode, list } = bookOf();
  onNode.set(7, running());
  list([listed(7)], 1);
  onNode.set(7, running('D'));
  const renumbered = [gpu(0), { ...gpu(2), index: 1 }, gpu(1, {}, { trouble: 'vanished', readAtMs: null })];

  book.update(renumbered, new Map([[1, { readAtMs: 2, answer: { value: [listed(8)] } }]]), 2);

  const [, other, vanished] = book.view(renumbered, 0).gpus;
  expect(other).toMatchObject({ processes: { value: [{ pid: 8 }] }, stuck: [] });
  expect(vanished).toMatchObject({ processes: { missing: 'gpuLost' }, stuck: [{ pid: 7, left: true }] });
});
