import { expect, test } from 'vitest';

import { emptyFolder, lifeIn } from '../support/history-file.ts';

test('of two agents on one folder the later one writes, and the other one stops and says so once', async () => {
  const folder = await emptyFolder();
  const old = await lifeIn(folder);
  for (let at = 0; at < 3; at++) old.sample(50);
  await old.file.flush();

  const late = await lifeIn(folder, { monotonicMs: old.clock.monotonicMs });
  for (let at = 0; at < 3; at++) {
    old.sample(60);
    await old.file.flush();
    late.sample(70);
    await late.file.flush();
  }

  expect(old.logged).toEqual(['the history is kept in memory only']);
  expect(old.rows()).toHaveLength(6);
  expect(late.logged).toEqual([]);
  const next = await lifeIn(folder, { monotonicMs: late.clock.monotonicMs });
  expect(next.rows()).toEqual(late.rows());
  expect(next.rows().map(({ row }) => row)).toEqual([1, 2, 3, 10_004, 10_005, 10_006]);
});

test('what the earlier one wrote before it saw the later one contradicts nothing', async () => {
  const folder = await emptyFolder();
  const old = await lifeIn(folder);
  old.sample(50);
  await old.file.flush();
  const late = await lifeIn(folder, { monotonicMs: old.clock.monotonicMs });
  old.sample(60);
  late.sample(70);
  await Promise.all([old.file.flush(), late.file.flush()]);
  late.sample(71);
  await late.file.flush();

  const next = await lifeIn(folder, { monotonicMs: late.clock.monotonicMs });

  const numbers = next.rows().map(({ row }) => row);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(next.sample(80)).toBeGreaterThan(numbers.at(-1) ?? 0);
});

test('an earlier one whose successor is gone writes again', async () => {
  const folder = await emptyFolder();
  const old = await lifeIn(folder);
  old.sample(50);
  await old.file.flush();
  const late = await lifeIn(folder, { monotonicMs: old.clock.monotonicMs });
  late.sample(70);
  await late.file.flush();
  old.sample(51);
  await old.file.flush();
  old.clock.monotonicMs += 300_000;
  old.sample(52);
  await old.file.flush();

  expect(old.logged).toEqual(['the history is kept in memory only', 'the history is written to disk again']);
  const next = await lifeIn(folder, { monotonicMs: old.clock.monotonicMs });
  expect(next.rows().map(({ row }) => row)).toEqual([1, 3]);
});

test('two that begin at the same time end up as one', async () => {
  const folder = await emptyFolder();
  const both = await Promise.all([lifeIn(folder), lifeIn(folder)]);
  for (let at = 0; at < 3; at++)
    for (const life of both) {
      life.sample(50);
      await life.file.flush();
    }

  expect(both.flatMap(({ logged }) => logged)).toEqual(['the history is kept in memory only']);
  expect((await lifeIn(folder)).rows().length).toBeGreaterThanOrEqual(2);
});
