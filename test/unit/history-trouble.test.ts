import { rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { restoreFrom } from '../../src/server/history/folder.ts';
import { node } from '../support/history.ts';
import { emptyFolder, lifeIn } from '../support/history-file.ts';

describe('trouble with the folder costs only the folder, and is logged once', () => {
  test('it cannot be made', async () => {
    const path = join(await emptyFolder(), 'file');
    await writeFile(path, '');
    const life = await lifeIn(join(path, 'folder'));
    for (let at = 0; at < 3; at++) {
      life.sample(50);
      await life.file.flush();
    }

    expect(life.rows()).toHaveLength(3);
    expect(life.logged).toEqual(['the history is kept in memory only']);
  });

  test('the disk is full for a while', async () => {
    const folder = await emptyFolder();
    const life = await lifeIn(folder);
    life.sample(50);
    await life.file.flush();
    await unlink(join(folder, 'owner.json'));
    await symlink('/dev/full', join(folder, 'owner.json')); // whoever writes to it is told that no space is left
    for (let at = 0; at < 3; at++) {
      life.sample(51);
      await life.file.flush();
    }
    await unlink(join(folder, 'owner.json'));
    life.sample(52);
    await life.file.flush();

    expect(life.rows()).toHaveLength(5);
    expect(life.logged).toEqual([
      'the history is kept in memory only',
      'the history is written to disk again',
    ]);
    const after = await lifeIn(folder, { monotonicMs: life.clock.monotonicMs });
    expect(after.rows().map(({ row }) => row)).toEqual([1, 5]);
  });

  test('it goes away and comes back', async () => {
    const folder = await emptyFolder();
    const life = await lifeIn(folder);
    life.sample(50);
    await life.file.flush();
    await rename(folder, `${folder}-away`);
    life.sample(51);
    await life.file.flush();
    await rename(`${folder}-away`, folder);
    life.sample(52);
    await life.file.flush();

    const after = await lifeIn(folder, { monotonicMs: life.clock.monotonicMs });
    expect(after.rows().map(({ row }) => row)).toEqual([1, 3]);
    expect(life.logged).toHaveLength(2);
  });

  test('one file in it cannot be read', async () => {
    const folder = await emptyFolder();
    const life = await lifeIn(folder);
    life.sample(50);
    await life.file.flush();
    const name = join(folder, 'samples-000000000-000000001-00000000.log');
    await symlink('/nowhere', name);

    expect((await lifeIn(folder)).rows()).toHaveLength(1);
  });

  test('it does not answer: nothing of it is used, and nothing is written there', async () => {
    const folder = await emptyFolder();
    const before = await lifeIn(folder);
    before.sample(50);
    before.file.keep('state');
    await before.file.flush();

    const life = await lifeIn(folder, { monotonicMs: 20_000, patienceMs: 0 });
    life.sample(51);
    life.file.keep('other state');
    await life.file.close();

    expect(life.rows()).toMatchObject([{ row: 1 }]);
    expect(life.history.numbering).not.toBe(before.history.numbering);
    expect(life.logged).toEqual(['the history is kept in memory only']);
    const next = await lifeIn(folder, { monotonicMs: 40_000 });
    expect(next.rows()).toEqual(before.rows());
    expect(next.file.state).toBe('state');
  });

  // On a node without an idle processor the whole of it takes longer than any disk is waited for.
  test('it answers file by file: each answer is told of, so that it is not taken for one that does not', async () => {
    const folder = await emptyFolder();
    for (const monotonicMs of [0, 20_000, 40_000]) {
      const life = await lifeIn(folder, { monotonicMs });
      life.sample(50);
      await life.file.close();
    }
    const { history } = node({ bootId: 'boot-1' });
    let answers = 0;

    await restoreFrom(folder, history, { answered: () => void answers++ });

    expect(answers).toBeGreaterThanOrEqual(3);
  });
});
