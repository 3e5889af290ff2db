import { posix, win32 } from 'node:path';

import type { HostName } from '../config.ts';

/** The machine as far as finding a host's files goes. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  readonly platform: NodeJS.Platform;
  /** Names of the folders in `%LOCALAPPDATA%\Packages`; none but on Windows. */
  readonly windowsPackages: readonly string[];
}

export interface Host {
  readonly title: string;
  /** What its own parser takes: JSON as it is, JSON with comments and trailing commas, or TOML. */
  readonly format: 'json' | 'jsonc' | 'toml';
  /** Key of the object that holds the servers. */
  readonly servers: 'mcpServers' | 'servers' | 'mcp_servers';
  /** It wants to be told that a server is a process; others know by `command`. */
  readonly typed: boolean;
  /** On Windows it starts no batch files, and `npx` is one there. */
  readonly startsBatchFiles: boolean;
  file(machine: Machine): string;
  /** What is there once it has been started. */
  sign(machine: Machine): string;
  /** How its changed file comes into force, and how to see that. */
  readonly next: string;
}

export const hosts: Readonly<Record<HostName, Host>> = {
  // https://modelcontextprotocol.io/quickstart/user; Linux: github.com/aaddrick/claude-desktop-debian issue 1
  'claude-desktop': {
    title: 'Claude Desktop',
    format: 'json',
    servers: 'mcpServers',
    typed: false,
    startsBatchFiles: true, // since 0.7.5: github.com/modelcontextprotocol/servers issue 40
    file: (machine) => pathOf(machine).join(claudeFolder(machine), 'claude_desktop_config.json'),
    sign: claudeFolder,
    next: 'Quit Claude Desktop (not only its window) and start it again; Settings > Developer then lists the server as running.',
  },
  // github.com/anthropics/claude-code issues 4193, 48448 (CLAUDE_CONFIG_DIR); `claude mcp add` writes `type`
  'claude-code': {
    title: 'Claude Code',
    format: 'json',
    servers: 'mcpServers',
    typed: true,
    startsBatchFiles: false, // «Windows requires 'cmd /c' wrapper to execute npx», it says itself
    file: ({ env, ...machine }) =>
      pathOf(machine).join(env['CLAUDE_CONFIG_DIR'] || machine.homeDir, '.claude.json'),
    sign: (machine) => hosts['claude-code'].file(machine),
    next: 'Sessions that are open need a restart. To see it: claude mcp list, or /mcp in a session.',
  },
  // https://cursor.com/docs/mcp
  cursor: {
    title: 'Cursor',
    format: 'json',
    servers: 'mcpServers',
    typed: false,
    startsBatchFiles: true,
    file: (machine) => pathOf(machine).join(machine.homeDir, '.cursor', 'mcp.json'),
    sign: (machine) => pathOf(machine).join(machine.homeDir, '.cursor'),
    next: 'Restart Cursor; Cursor Settings > MCP then lists the server and its tools.',
  },
  // https://code.visualstudio.com/docs/copilot/chat/mcp-servers: the user's mcp.json, of the default profile
  vscode: {
    title: 'VS Code',
    format: 'jsonc',
    servers: 'servers',
    typed: true,
    startsBatchFiles: true,
    file: (machine) => pathOf(machine).join(applicationData(machine), 'Code', 'User', 'mcp.json'),
    sign: (machine) => pathOf(machine).join(applicationData(machine), 'Code'),
    next: 'In VS Code: MCP: List Servers from the Command Palette, then start the server.',
  },
  // github.com/openai/codex docs/config.md, «mcp_servers»; .cmd files: its pull request 3828
  codex: {
    title: 'Codex',
    format: 'toml',
    servers: 'mcp_servers',
    typed: false,
    startsBatchFiles: true,
    file: (machine) => pathOf(machine).join(codexFolder(machine), 'config.toml'),
    sign: codexFolder,
    next: 'Start Codex again. To see it: codex mcp list, or /mcp in a session.',
  },
};

/**
 * The Windows package of Claude Desktop sees its own folder in place of %APPDATA%, and never reads what others write there:
 * github.com/anthropics/claude-code issue 25579.
 */
function claudeFolder(machine: Machine): string {
  const { join } = pathOf(machine);
  const packaged = machine.windowsPackages.find((name) => /^Claude_/.test(name));
  if (packaged === undefined) return join(applicationData(machine), 'Claude');
  return join(windowsPackagesFolder(machine), packaged, 'LocalCache', 'Roaming', 'Claude');
}

export function windowsPackagesFolder({ env, homeDir }: Omit<Machine, 'windowsPackages'>): string {
  return win32.join(env['LOCALAPPDATA'] || win32.join(homeDir, 'AppData', 'Local'), 'Packages');
}

function codexFolder({ env, ...machine }: Machine): string {
  return env['CODEX_HOME'] || pathOf(machine).join(machine.homeDir, '.codex');
}

/** Electron's `appData`: https://www.electronjs.org/docs/latest/api/app#appgetpathname */
function applicationData({ env, homeDir, platform }: Machine): string {
  if (platform === 'win32') return env['APPDATA'] || win32.join(homeDir, 'AppData', 'Roaming');
  if (platform === 'darwin') return posix.join(homeDir, 'Library', 'Application Support');
  return env['XDG_CONFIG_HOME'] || posix.join(homeDir, '.config');
}

export function pathOf({ platform }: Pick<Machine, 'platform'>): typeof posix {
  return platform === 'win32' ? win32 : posix;
}
