import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';

import type { HistoryRow } from '../../src/core/history.ts';
import { restoreFrom } from '../../src/server/history/folder.ts';
import { key, node } from '../support/history.ts';
import { emptyFolder, lifeIn } from '../support/history-file.ts';

let folder: string;
let whole: readonly HistoryRow[];

/** A folder that an agent has left behind: four samples, and one bin. */
beforeEach(async () => {
  folder = await emptyFolder();
  const life = await lifeIn(folder);
  for (const temperatureC of [50, 51, 52]) life.sample(temperatureC);
  life.sample(53, 300_000);
  await life.file.flush();
  whole = life.rows();
});

async function pathOf(kind: string): Promise<string> {
  const name = (await readdir(folder)).find((each) => each.startsWith(`${kind}-`)) ?? '';
  return join(folder, name);
}

test('a record torn at any byte is left out, and those before it stay', async () => {
  const path = await pathOf('samples');
  const bytes = await readFile(path);
  const last = bytes.lastIndexOf('\n', bytes.length - 2) + 1;

  for (let length = last; length < bytes.length - 1; length++) {
    await writeFile(path, bytes.subarray(0, length));
    expect(await rowsIn(folder)).toEqual(whole.slice(0, -1));
  }
});

test('control: without its last line break a record is still whole', async () => {
  const path = await pathOf('samples');
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, -1));

  expect((await lifeIn(folder)).rows()).toEqual(whole);
});

describe.for(['samples', 'bins'])('a byte of the %s flipped anywhere', (kind) => {
  test('is never fatal, and never makes a value that was not written', async () => {
    const path = await pathOf(kind);
    const bytes = await readFile(path);

    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, damaged);
      for (const row of await rowsIn(folder)) expect(whole).toContainEqual(row);
    }
  });
});

test('bytes that are no text, no lines and no end of them are never fatal', async () => {
  const junk = [
    Buffer.alloc(0),
    Buffer.alloc(100_000),
    Buffer.alloc(3_000_000, 0xff),
    Buffer.from('[]\n'.repeat(1000)),
  ];

  for (const bytes of junk) {
    for (const kind of ['samples', 'bins']) await writeFile(await pathOf(kind), bytes);
    for (const name of ['owner.json', 'state.json']) await writeFile(join(folder, name), bytes);
    const after = await lifeIn(folder);
    after.sample(60);
    await after.file.flush();
    expect(after.rows()).toHaveLength(1);
    expect(after.logged).toEqual([]);
  }
});

async function rowsIn(path: string): Promise<readonly HistoryRow[]> {
  const { history } = node();
  await restoreFrom(path, history);
  return history.rows({ gpuKey: key }).rows;
}
