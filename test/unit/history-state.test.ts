import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { emptyFolder, lifeIn } from '../support/history-file.ts';

test('the state of others is written soon: an event that was told has its number for good', async () => {
  const folder = await emptyFolder();
  const { file } = await lifeIn(folder);

  file.keep({ next: 7 });

  const written = () => readFile(join(folder, 'state.json'), 'utf8').catch(() => '');
  await expect.poll(written, { timeout: 5000 }).toContain('"next":7');
});

test('the state is what it is when it is written, and in a storm it waits as all else', async () => {
  const folder = await emptyFolder();
  const { file } = await lifeIn(folder);
  const state = { next: 7 };
  file.keep(state);
  state.next = 8;
  const written = () => readFile(join(folder, 'state.json'), 'utf8').catch(() => '');
  await expect.poll(written, { timeout: 5000 }).toContain('"next":8');

  file.keep({ next: 9 });

  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await written()).toContain('"next":8');
  await file.flush();
  expect(await written()).toContain('"next":9');
});
