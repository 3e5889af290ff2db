import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

import { npmPrograms } from '../npm-programs.ts';

const here = import.meta.dirname;
const bun = join(here, '../../../node_modules/.bin/bun');

/** What the suite is known to report of us, each with its reason. */
export const baselines = {
  fixtures: join(here, 'baseline-fixtures-2025-11-25.yml'),
  agent: join(here, 'baseline-agent.yml'),
} as const;

export interface Verdict {
  readonly code: number;
  /** What it printed, without colours. */
  readonly output: string;
}

/** The official conformance suite, run to its end. */
export function conformance(args: readonly string[]): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const command = [npmPrograms.entry('conformance'), ...args];
    execFile(npmPrograms.node('24'), command, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code !== 'number') return reject(error);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out
      resolve({ code, output: `${stdout}${stderr}`.replace(/\u001b\[\d+m/g, '') });
    });
  });
}

/** Builds one of the two entries as the program is built whose part it plays: the agent, compiled; the bridge, for Node. */
export function built(entry: 'server' | 'client'): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-conformance-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync(bun, [join(here, 'build.ts'), entry, folder], { stdio: 'inherit' });
  return join(folder, entry === 'server' ? 'server' : 'client.mjs');
}
