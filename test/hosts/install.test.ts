import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { bridgeEntry } from '../support/build.ts';
import { desktopEnvironment, type Entry, listTools, startAsHost } from '../support/desktop-host.ts';
import { nodeVersions, npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();

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
      expect(answer).toMatchObject({ result: { tools: expect.arrayContaining([expect.anything()]) } });
      // What npx, a script that begins with `env node`, would run by.
      expect(dirname(named)).toBe(dirname(node));
    });
  },
);
