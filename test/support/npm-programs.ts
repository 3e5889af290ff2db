import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { cacheDirectory } from './cache.ts';

/** Real Node binaries: the oldest that we promise, and the two lines that are supported today. */
export const nodeVersions = ['20.18.1', '22', '24'] as const;
export type NodeVersion = (typeof nodeVersions)[number];

/** Programs of others, at the versions that `test/programs` pins. */
export interface NpmPrograms {
  readonly node: (version: NodeVersion) => string;
  /** Entry of a package's program, to be run by `node('24')`. */
  readonly entry: (program: 'conformance' | 'inspector' | 'mcpb' | 'npm' | 'npx') => string;
}

const manifests = join(import.meta.dirname, '../programs');

/** Why these programs cannot run on this machine, or undefined where they can. */
export function whyNoPrograms(): string | undefined {
  const here = `${process.platform}-${process.arch}`;
  return here === 'linux-x64' ? undefined : `the pinned Node binaries are for linux-x64; this is ${here}`;
}

const lock = readFileSync(join(manifests, 'package-lock.json'));
const folder = join(cacheDirectory, `npm-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`);

export const npmPrograms: NpmPrograms = {
  node: (version) => join(folder, `node_modules/node-${version}/bin/node`),
  entry: (program) => join(folder, 'node_modules/.bin', program),
};

/**
 * vitest's globalSetup: installs them where the cache lacks them, half a minute and 700 MB, once. Beside their place, and
 * moved in when whole: what was cut off leaves nothing half done.
 */
export function setup(): void {
  if (whyNoPrograms() || existsSync(folder)) return;
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.npm-'));
  try {
    cpSync(manifests, fresh, { recursive: true });
    // Their install scripts would only choose a Node, which is chosen here.
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', args, { cwd: fresh, stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
