import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { parseConfig as parseBridge } from '../../src/bridge/config.ts';
import { faults } from '../../src/core/fault.ts';
import { parseConfig as parseAgent } from '../../src/server/config.ts';
import { tools } from '../../src/tools/index.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The rows of the tables under a heading: each thing that stands in backquotes in the first cell, and the rest. */
function table(heading: string): ReadonlyMap<string, string> {
  const [, section = ''] = readme.split(`\n## ${heading}\n`);
  const [text = ''] = section.split(/\n## /);
  const rows = [...text.matchAll(/^\| (`[^|]+)\|(.*)\|$/gm)];
  return new Map(
    rows.flatMap(([, names = '', rest = '']) => quoted(names).map((name) => [name, rest] as const)),
  );
}

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

/** `--port <number>` → `--port`, as `--help` lists them. */
function flagsOf(parse: typeof parseBridge | typeof parseAgent): string[] {
  const parsed = parse(['--help'], {});
  const text = 'print' in parsed ? parsed.print : '';
  return [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag).sort();
}

function flagsIn(heading: string): string[] {
  return [...table(heading).keys()].map((flag) => /--[a-z-]+/.exec(flag)?.[0] ?? flag).sort();
}

test('the table of faults has every code of ours and no other', () => {
  expect([...table('When something fails').keys()].sort()).toEqual(Object.keys(faults).sort());
});

describe('the table of faults says what each one says itself', () => {
  test.for(Object.entries(faults))('%s', ([code, { hint }]) => {
    const row = table('When something fails').get(code) ?? '';

    expect(plain(row)).toContain(plain(hint));
  });
});

test('the table of tools has every tool and no other', () => {
  expect([...table('Tools').keys()].sort()).toEqual(tools.map(({ name }) => name).sort());
});

test('what is said above the table of tools is said of all of them', () => {
  expect(readme).toMatch(/\n## Tools\n\nAll are read-only, and take `nodes`/);
});

test('the tables of flags have every flag of each program and no other', () => {
  const printed = ['--help', '--version'];
  const own = (flags: readonly string[]) => flags.filter((flag) => !printed.includes(flag));

  expect(own(flagsIn('Flags of the bridge'))).toEqual(own(flagsOf(parseBridge)));
  expect(own(flagsIn('Flags of the agent'))).toEqual(own(flagsOf(parseAgent)));
});

test('every JSON block is JSON', () => {
  const blocks = [...readme.matchAll(/```json\n(.*?)```/gs)].map(([, json = '']) => json);

  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks) expect(() => JSON.parse(block), block).not.toThrow();
});

test('every file it links to is in the repository', () => {
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, path = '']) => path);

  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect(existsSync(join(root, link)), link).toBe(true);
});

/** Without the backquotes that README may put around a flag or a name, and the bars it has to escape. */
function plain(text: string): string {
  return text.replaceAll('`', '').replaceAll('\\|', '|').replaceAll('&lt;', '<');
}
