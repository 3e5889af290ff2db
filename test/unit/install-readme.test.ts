import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { type HostName, hostNames } from '../../src/bridge/config.ts';
import { install } from '../../src/bridge/install/install.ts';

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
const [, section = ''] = readme.split('\n## In your assistant\n');

/** The entry with nothing of a machine in it: what is printed on Windows, where no path and no PATH is written down. */
function printed(host: HostName): Record<string, object> {
  const script = 'C:\\node_modules\\k8s-gpu-mcp\\dist\\bridge.js';
  const self = {
    env: {},
    homeDir: 'C:\\',
    platform: 'win32',
    cwd: 'C:\\',
    execPath: 'C:\\node.exe',
    script,
  } as const;
  const [servers] = Object.values(
    JSON.parse(install({ host, demo: false, print: true, variables: {} }, self, new Date())),
  );
  return servers as Record<string, object>;
}

function link(start: string): URL {
  const [, url = ''] = new RegExp(`\\]\\((${start}[^)]+)\\)`).exec(section) ?? [];
  return new URL(url);
}

test('the link for Cursor installs what install --print prints', () => {
  const { searchParams } = link('https://cursor.com/en/install-mcp');

  const config = JSON.parse(Buffer.from(searchParams.get('config') ?? '', 'base64').toString());
  expect({ [searchParams.get('name') ?? '']: config }).toEqual(printed('cursor'));
});

test('the link for VS Code installs what install --print prints', () => {
  const inner = new URL(link('https://insiders.vscode.dev/redirect').searchParams.get('url') ?? '');

  const { name, ...config } = JSON.parse(decodeURIComponent(inner.search.slice(1)));
  expect(inner.href).toMatch(/^vscode:mcp\/install\?/);
  expect({ [name]: config }).toEqual(printed('vscode'));
});

test('every host that can be installed into is named', () => {
  for (const host of hostNames) expect(section).toContain(host);
});
