import { expect, test } from 'vitest';

import { type HostName, hostNames } from '../../src/bridge/config.ts';
import { hosts, type Machine } from '../../src/bridge/install/hosts.ts';

const linux: Machine = { env: {}, homeDir: '/home/me', platform: 'linux', windowsPackages: [] };
const mac: Machine = { ...linux, homeDir: '/Users/me', platform: 'darwin' };
const windows: Machine = { ...linux, homeDir: 'C:\\Users\\me', platform: 'win32' };

const files: Readonly<Record<HostName, readonly [linux: string, mac: string, windows: string]>> = {
  'claude-desktop': [
    '/home/me/.config/Claude/claude_desktop_config.json',
    '/Users/me/Library/Application Support/Claude/claude_desktop_config.json',
    'C:\\Users\\me\\AppData\\Roaming\\Claude\\claude_desktop_config.json',
  ],
  'claude-code': ['/home/me/.claude.json', '/Users/me/.claude.json', 'C:\\Users\\me\\.claude.json'],
  cursor: ['/home/me/.cursor/mcp.json', '/Users/me/.cursor/mcp.json', 'C:\\Users\\me\\.cursor\\mcp.json'],
  vscode: [
    '/home/me/.config/Code/User/mcp.json',
    '/Users/me/Library/Application Support/Code/User/mcp.json',
    'C:\\Users\\me\\AppData\\Roaming\\Code\\User\\mcp.json',
  ],
  codex: [
    '/home/me/.codex/config.toml',
    '/Users/me/.codex/config.toml',
    'C:\\Users\\me\\.codex\\config.toml',
  ],
};

test.for(hostNames)('%s has its file where it looks for it, on three systems', (name) => {
  expect([linux, mac, windows].map((machine) => hosts[name].file(machine))).toEqual(files[name]);
});

test.for<[HostName, Machine, string]>([
  ['claude-code', { ...linux, env: { CLAUDE_CONFIG_DIR: '/c' } }, '/c/.claude.json'],
  ['codex', { ...linux, env: { CODEX_HOME: '/c' } }, '/c/config.toml'],
  ['claude-desktop', { ...linux, env: { XDG_CONFIG_HOME: '/x' } }, '/x/Claude/claude_desktop_config.json'],
  ['vscode', { ...linux, env: { XDG_CONFIG_HOME: '/x' } }, '/x/Code/User/mcp.json'],
  ['vscode', { ...mac, env: { XDG_CONFIG_HOME: '/x' } }, files.vscode[1]],
  ['vscode', { ...windows, env: { APPDATA: 'D:\\A' } }, 'D:\\A\\Code\\User\\mcp.json'],
])('%s looks where its variable says: %o', ([name, machine, file]) => {
  expect(hosts[name].file(machine)).toBe(file);
});

test('Claude Desktop as a Windows package has its file inside of that', () => {
  const machine = { ...windows, windowsPackages: ['Microsoft.Edge_8we', 'Claude_pzs8sxrjxfjjc'] };

  expect(hosts['claude-desktop'].file(machine)).toBe(
    'C:\\Users\\me\\AppData\\Local\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json',
  );
});
