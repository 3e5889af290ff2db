import { mkdir, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { seriesNames } from '../../src/core/history.ts';
import { lineOf, recordIn } from '../../src/server/history/record-line.ts';
import { key, valuesOf } from '../support/history.ts';
import { emptyFolder, lifeIn } from '../support/history-file.ts';

test('a restarted agent goes on with the same rows, the same bins and the next number', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder);
  for (let at = 1; at <= 100; at++) before.sample(50 + at / 8);
  await before.file.close();

  const after = await lifeIn(folder, { monotonicMs: before.clock.monotonicMs });

  expect(after.rows()).toEqual(before.rows());
  expect(after.bins()).toEqual(before.bins());
  expect(after.history.numbering).toBe(before.history.numbering);
  expect(after.sample(70)).toBe(101);
  expect(after.rows().at(-1)).toMatchObject({ life: 2, bootId: 'boot-1' });
  expect(
    after.history.rows({ gpuKey: key, sinceRow: 99, numbering: before.history.numbering }),
  ).toMatchObject({
    rowsLost: 0,
    rows: [{ row: 100 }, { row: 101 }],
  });
});

test('missing values, reasons and absences come back as they were', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder);
  const at = (monotonicMs: number) => ({ atMs: 1_800_000_000_000, monotonicMs });
  before.history.add(key, {
    ...at(1),
    values: valuesOf({ temperatureC: 0, energyJoules: 1e11 + 0.5 }),
    reasons: 0x41,
    absence: null,
  });
  before.history.add(key, { ...at(2), values: valuesOf({}), reasons: null, absence: 'lost' });
  before.history.add(key, {
    ...at(400_000),
    values: valuesOf({ powerWatts: 351.527 }),
    reasons: 0,
    absence: null,
  });
  await before.file.close();

  const after = await lifeIn(folder);

  expect(after.rows()).toEqual(before.rows());
  expect(after.rows()).toMatchObject([
    { reasons: ['gpuIdle', 'hwThermalSlowdown'], absence: null },
    { reasons: null, absence: 'lost' },
    { reasons: [] },
  ]);
  expect(after.bins()).toEqual(before.bins());
});

test('bins outlive their samples, and no number is given twice', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder);
  for (let at = 0; at < 100; at++) before.sample(50);
  await before.file.close();
  for (const name of await readdir(folder)) if (name.startsWith('samples')) await unlink(join(folder, name));

  const after = await lifeIn(folder, { monotonicMs: before.clock.monotonicMs });

  expect(after.rows()).toEqual([]);
  expect(after.bins()).toEqual(before.bins().slice(0, -1));
  expect(after.sample(50)).toBe((before.bins().at(-2)?.row ?? 0) + 1);
});

test('without a folder that was kept, numbers begin anew under another numbering', async () => {
  const one = await lifeIn(await emptyFolder());
  const other = await lifeIn(await emptyFolder());

  expect(other.history.numbering).not.toBe(one.history.numbering);
  expect(other.sample(50)).toBe(1);
});

test('after a reboot rows go on, and are told apart', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder, { monotonicMs: 900_000 });
  before.sample(50);
  before.sample(51);
  await before.file.close();

  const after = await lifeIn(folder, { bootId: 'boot-2', monotonicMs: 1000 });
  after.sample(52);

  expect(after.rows()).toMatchObject([
    { row: 1, bootId: 'boot-1' },
    { row: 2, bootId: 'boot-1' },
    { row: 3, bootId: 'boot-2', life: 2 },
  ]);
  expect(after.bins()).toHaveLength(2);
});

test('where the kernel tells no boot, each life is taken for one', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder, { bootId: null, monotonicMs: 900_000 });
  before.sample(50);
  await before.file.close();

  const after = await lifeIn(folder, { bootId: null });

  expect(after.sample(51)).toBe(2);
  expect(after.rows()).toHaveLength(2);
});

describe('state', () => {
  test('is given to the next life, the newest as it was', async () => {
    const folder = await emptyFolder();
    const before = await lifeIn(folder);
    before.file.keep({ next: 7 });
    await before.file.close();
    before.file.keep({ next: 8, events: ['é'] });
    await before.file.close();

    expect((await lifeIn(folder)).file.state).toEqual({ next: 8, events: ['é'] });
  });

  test('is none where there was none, and where it is damaged', async () => {
    const folder = await emptyFolder();
    const first = await lifeIn(folder);
    expect(first.file.state).toBeUndefined();
    first.file.keep({ next: 7 });
    await first.file.flush();
    const path = join(folder, 'state.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('7', '8'));

    expect((await lifeIn(folder)).file.state).toBeUndefined();
  });

  test('that is too long is not kept, and the one before stays', async () => {
    const folder = await emptyFolder();
    const before = await lifeIn(folder);
    before.file.keep('short');
    await before.file.close();
    before.file.keep('x'.repeat(2 ** 21));
    await before.file.close();

    expect((await lifeIn(folder)).file.state).toBe('short');
  });
});

test('a segment of another version is ignored, and what is no file of ours is left alone', async () => {
  const folder = await emptyFolder();
  const before = await lifeIn(folder);
  before.sample(50);
  await before.file.close();
  const header = { version: 2, numbering: 'ffffffff', life: 9, bootId: null, series: [], reasons: [] };
  await writeFile(
    join(folder, 'samples-000000009-000000001-00000000.log'),
    lineOf(header) + lineOf([key, 900]),
  );
  await writeFile(join(folder, 'notes.txt'), 'x');
  await mkdir(join(folder, 'samples-000000009-000000002-00000000.log'));

  const after = await lifeIn(folder, { monotonicMs: 10_000 });

  expect(after.rows()).toEqual(before.rows());
  expect(after.sample(51)).toBeGreaterThan(900); // that life may have given numbers, too
  expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('x');
});

test('a version that kept other series is read: those we do not know are left out, those it lacks are missing', async () => {
  const folder = await emptyFolder();
  const header = {
    version: 1,
    numbering: '0123abcd',
    life: 1,
    bootId: 'boot-1',
    reasons: ['new', 'swPowerCap'],
  };
  const series = ['fanPercent', 'temperatureC'];
  const segment = (records: readonly unknown[]) => records.map(lineOf).join('');
  await writeFile(
    join(folder, 'samples-000000001-000000001-00000000.log'),
    segment([{ ...header, series }, [key, 5, 1, 1_000_000, null, 'newAbsence', [30, 61]]]),
  );
  await writeFile(
    join(folder, 'bins-000000001-000000001-00000000.log'),
    segment([
      { ...header, series },
      [key, 'boot-1', null, [4, 1, 1, 1, 9, 4, 8], [3, 7], [30, 60], [30, 61], [30, 62]],
    ]),
  );

  const { rows, bins } = await lifeIn(folder, { monotonicMs: 2_000_000 });

  const place = seriesNames.indexOf('temperatureC');
  expect(rows()[0]?.values.filter((value) => value !== null)).toEqual([61]);
  expect(rows()[0]?.values[place]).toBe(61);
  expect(bins()[0]?.max[place]).toBe(62);
  expect(bins()[0]?.heldMs?.filter((ms) => ms > 0)).toEqual([7]);
});

test('of each line it is known whether it is whole', () => {
  const line = lineOf([1, 'é', null]);

  expect(recordIn(line.trimEnd())).toEqual([1, 'é', null]);
  expect(recordIn(line.slice(0, -2))).toBeUndefined();
  expect(recordIn('')).toBeUndefined();
});

test('the folder is bounded, however long it is used, and the newest is what stays', async () => {
  const folder = await emptyFolder();
  const life = await lifeIn(folder);
  const values = seriesNames.map((_, at) => 123_456.789 + at);
  for (let at = 1; at <= 60_000; at++) {
    life.clock.monotonicMs += 100_000;
    life.history.add(key, { ...life.now(), values, reasons: 0, absence: null });
    if (at % 1000 === 0) await life.file.flush();
  }
  life.file.keep('x'.repeat(1_000_000));
  await life.file.flush();

  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(total).toBeGreaterThan(7 * 2 ** 20);
  expect(total).toBeLessThan(14 * 2 ** 20);
  const after = await lifeIn(folder, { monotonicMs: life.clock.monotonicMs });
  expect(after.rows()).toEqual(life.rows());
  expect(after.bins()).toEqual(life.bins());
  await rm(folder, { recursive: true });
});

test('after an agent that was killed no number is given twice: what it had not written down may have had some', async () => {
  const folder = await emptyFolder();
  const killed = await lifeIn(folder);
  killed.sample(50);
  await killed.file.flush();
  const told = killed.sample(51); // and is killed before the next flush

  const next = await lifeIn(folder, { monotonicMs: 20_000 });

  expect(next.sample(52)).toBeGreaterThan(told ?? 0);
  expect(next.history.rows({ gpuKey: key, sinceRow: told ?? 0 }).rows).toMatchObject([{ life: 2 }]);
});
