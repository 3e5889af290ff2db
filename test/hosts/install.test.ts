import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { bridgeEntry } from '../support/build.ts';
import { desktopEnvironment, type Entry, listTools, startAsHost } from '../support/desktop-host.ts';
import { nodeVersions, npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();
const toolsListed = { result: { tools: tools.map(({ name }) => ({ name })) } };

test('from a package, a host starts npx with it, far from any terminal', async () => {
  const home = mkdtempSync(join(tmpdir(), 'install-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const folder = join(home, 'installed');
  mkdirSync(folder);
  const npm = (...args: string[]) =>
    execFileSync('npm', [...args, '--offline', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        ...desktopEnvironment(home),
        PATH: process.env['PATH'] ?? '',
        npm_config_update_notifier: 'false',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  npm('pack', '--silent', '--ignore-scripts', join(dirname(bridgeEntry), '..'));
  npm('install', `./${readdirSync(folder).find((name) => name.endsWith('.tgz'))}`);

  const program = join(folder, 'node_modules/.bin/k8s-gpu-mcp');
  const printed = execFileSync(process.execPath, [program, 'install', 'cursor', '--print'], {
    encoding: 'utf8',
    env: desktopEnvironment(home),
  });
  const entry: Entry = JSON.parse(printed).mcpServers['k8s-gpu-mcp'];
  // In this folder npx finds the package without a registry.
  const answers = await startAsHost(onTestFinished, {
    entry: {
      ...entry,
      env: { ...entry.env, npm_config_offline: 'true', npm_config_update_notifier: 'false' },
    },
    home,
    calls: [listTools],
    cwd: folder,
  });

  expect(entry.args[1]).toMatch(/^k8s-gpu-mcp@\d/);
  expect(answers[0]).toMatchObject(toolsListed);
});

describe.skipIf(whyNot)(
  `install, by a Node that is not the machine's${whyNot ? ` (skipped: ${whyNot})` : ''}`,
  () => {
    test.for(nodeVersions)('a host starts Node %s, by which it was run', async (version) => {
      const home = mkdtempSync(join(tmpdir(), 'install-'));
      onTestFinished(() => rmSync(home, { recursive: true, force: true }));
      const node = npmPrograms.node(version);

      const printed = execFileSync(node, [bridgeEntry, 'install', 'cursor', '--print'], {
        encoding: 'utf8',
        env: desktopEnvironment(home),
      });
      const entry: Entry = JSON.parse(printed).mcpServers['k8s-gpu-mcp'];
      const [answer] = await startAsHost(onTestFinished, { entry, home, calls: [listTools] });
      const named = execFileSync('/usr/bin/env', ['node', '-p', 'process.execPath'], {
        env: entry.env,
        encoding: 'utf8',
      });

      expect(entry.command).toBe(node);
      expect(answer).toMatchObject(toolsListed);
      // What npx, a script that begins with `env node`, would run by.
      expect(dirname(named)).toBe(dirname(node));
    });
  },
);
