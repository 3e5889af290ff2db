import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { HostName, Installation } from '../../src/bridge/config.ts';
import { readConfig, replaceConfig } from '../../src/bridge/install/config-file.ts';
import { install, type Self } from '../../src/bridge/install/install.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'install-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const now = new Date('2026-11-22T20:00:00.000Z');

function run(host: HostName, changes: Partial<Installation & Self> = {}): string {
  const { demo = false, print = false, variables = {}, ...self } = changes;
  const here: Self = {
    env: { PATH: '/usr/bin' },
    homeDir: home,
    platform: 'linux',
    cwd: home,
    execPath: process.execPath,
    script: '/somewhere/node_modules/k8s-gpu-mcp/dist/bridge.js',
    ...self,
  };
  return install({ host, demo, print, variables }, here, now);
}

function cursorFile(text?: string): string {
  const file = join(home, '.cursor/mcp.json');
  mkdirSync(join(home, '.cursor'), { recursive: true });
  if (text !== undefined) writeFileSync(file, text);
  return file;
}

function inFolder(): readonly string[] {
  return readdirSync(join(home, '.cursor')).sort();
}

describe('what is said', () => {
  test('of a new entry: each of its lines, where the old file is, and what to do', () => {
    const file = cursorFile('{ "mcpServers": {} }');

    const said = run('cursor');

    expect(said).toContain(`${file}:\n\n+ "k8s-gpu-mcp": {\n+   "command": `);
    expect(said).toContain(`The file before: ${file}.2026-11-22T20-00-00.000Z.bak\n`);
    expect(said).toMatch(/Restart Cursor/);
    expect(said).not.toContain('does not seem to be installed');
  });

  test.for([
    ['command":"old","env":{"AWS_SECRET_ACCESS_KEY', '-   "command": "old"', '"AWS_SECRET_ACCESS_KEY": "…"'],
    ['url":"https://x","headers":{"Authorization', '-   "url": "https://x"', '"Authorization": "…"'],
  ])('of a changed entry: what was and what is, no secrets: %s', ([entry = '', was = '', masked = '']) => {
    cursorFile(`{"mcpServers":{"k8s-gpu-mcp":{"${entry}":"s3cret"}}}}`);

    const said = run('cursor');

    expect(said).toContain(was);
    expect(said).toContain(masked);
    expect(said).not.toContain('s3cret');
  });

  test('of other servers: nothing', () => {
    cursorFile('{"mcpServers":{"other":{"command":"x","env":{"KEY":"s3cret"}}}}');

    expect(run('cursor')).not.toMatch(/s3cret|other/);
  });

  test('of a second time: nothing to change, and no copy is made', () => {
    const file = cursorFile('{}');
    run('cursor');
    const before = readFileSync(file, 'utf8');
    const files = inFolder();

    expect(run('cursor')).toBe(`${file}: nothing to change; k8s-gpu-mcp is there already.\n`);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(inFolder()).toEqual(files);
  });

  test.for<[HostName, string, string]>([
    ['claude-desktop', '.config/Claude', 'Claude Desktop'],
    ['claude-code', '.claude.json', 'Claude Code'],
    ['cursor', '.cursor', 'Cursor'],
    ['vscode', '.config/Code', 'VS Code'],
    ['codex', '.codex', 'Codex'],
  ])('of %s that is not there: that, and the file is made all the same', ([host, sign, title]) => {
    const said = run(host);

    expect(said).toContain(
      `${title} does not seem to be installed here: ${join(home, sign)} was not there, and has been made.`,
    );
    expect(said).toContain('The file is new.');
    expect(run(host)).toContain('nothing to change');
  });
});

test.for<[HostName, string]>([
  ['claude-desktop', 'mcpServers'],
  ['claude-code', 'mcpServers'],
  ['cursor', 'mcpServers'],
  ['vscode', 'servers'],
])('--print for %s is the whole of a file, and touches nothing', ([host, servers]) => {
  const printed = JSON.parse(run(host, { print: true }));

  expect(Object.keys(printed)).toEqual([servers]);
  expect(Object.keys(printed[servers])).toEqual(['k8s-gpu-mcp']);
  expect(readdirSync(home)).toEqual([]);
});

test('the demo stands beside the real one', () => {
  const file = cursorFile();

  run('cursor');
  run('cursor', { demo: true });

  expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')).mcpServers)).toEqual([
    'k8s-gpu-mcp',
    'k8s-gpu-mcp-demo',
  ]);
});

describe('the file', () => {
  test('keeps its mode; the copy has it too', () => {
    const file = cursorFile('{}');
    chmodSync(file, 0o640);

    run('cursor');

    expect(inFolder().map((name) => statSync(join(home, '.cursor', name)).mode & 0o777)).toEqual([
      0o640, 0o640,
    ]);
  });

  test('that is new is its owner’s alone: variables may come into it later', () => {
    const file = cursorFile();

    run('cursor');

    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test.for([
    ['with a file', '{}'],
    ['without one yet', undefined],
  ])('behind a link, %s, is written where the link leads', ([, text]) => {
    const file = cursorFile();
    const real = join(home, 'dotfiles/cursor.json');
    mkdirSync(join(home, 'dotfiles'));
    if (text !== undefined) writeFileSync(real, text);
    symlinkSync('../dotfiles/cursor.json', file);

    run('cursor');

    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, 'utf8')).toContain('k8s-gpu-mcp');
    expect(readdirSync(join(home, 'dotfiles'))).toEqual(['cursor.json']);
  });

  test('keeps the mark that Windows editors put in front', () => {
    const file = cursorFile('\uFEFF{ "a": 1 }');

    run('cursor');

    expect(readFileSync(file, 'utf8')).toMatch(/^\uFEFF{ "a": 1, "mcpServers"/);
  });

  test('is copied first, each time to a name of its own', () => {
    const file = cursorFile('{}');

    run('cursor');
    run('cursor', { variables: { K8S_GPU_MCP_CONTEXT: 'a' } });

    const copies = ['.2.bak', '.bak'].map((end) => `mcp.json.2026-11-22T20-00-00.000Z${end}`);
    expect(inFolder()).toEqual(['mcp.json', ...copies]);
    expect(readFileSync(`${file}.2026-11-22T20-00-00.000Z.bak`, 'utf8')).toBe('{}');
    expect(readFileSync(`${file}.2026-11-22T20-00-00.000Z.2.bak`, 'utf8')).toContain('k8s-gpu-mcp');
  });
});

describe('refused, and the folder is as it was', () => {
  const unwritable = expect.objectContaining({ code: 'HOST_CONFIG_UNWRITABLE' });

  test('a file that is read-only, though its folder is not', () => {
    const file = cursorFile('{}');
    chmodSync(file, 0o444);

    expect(() => run('cursor')).toThrow(unwritable);
    expect(() => run('cursor')).toThrow(`${file} cannot be written: it is read-only`);
    expect(inFolder()).toEqual(['mcp.json']);
  });

  test('a file that is a folder', () => {
    mkdirSync(join(home, '.cursor/mcp.json'), { recursive: true });

    expect(() => run('cursor')).toThrow(unwritable);
    expect(() => run('cursor')).toThrow('cannot be read: EISDIR');
  });

  test('a folder that is a file', () => {
    writeFileSync(join(home, '.cursor'), '');

    expect(() => run('cursor')).toThrow(unwritable);
  });

  test('a file that is no UTF-8', () => {
    const file = cursorFile();
    writeFileSync(file, Buffer.from('\uFEFF{}', 'utf16le'));

    expect(() => run('cursor')).toThrow(expect.objectContaining({ code: 'HOST_CONFIG_INVALID' }));
    expect(() => run('cursor')).toThrow('it is not UTF-8');
    expect(inFolder()).toEqual(['mcp.json']);
  });

  test('a file that cannot be parsed', () => {
    const file = cursorFile('{ "a": 1, }');

    expect(() => run('cursor')).toThrow(`${file}, line 1: `);
    expect(inFolder()).toEqual(['mcp.json']);
  });

  test.for([
    ['changed', '{}', '{ "a": 1 }'],
    ['made', undefined, '{ "a": 1 }'],
  ])('a file that its host %s meanwhile, whose change would be lost', ([, before, meanwhile = '']) => {
    const path = cursorFile(before);
    const read = readConfig(path);
    writeFileSync(path, meanwhile);

    expect(() => replaceConfig(read, '{ "b": 2 }', now)).toThrow('another program changed it meanwhile');
    expect(readFileSync(path, 'utf8')).toBe(meanwhile);
  });
});
