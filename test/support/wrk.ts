import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { cacheDirectory } from './cache.ts';

/** A load generator in C: on two cores one in JavaScript would measure itself. */
export interface WrkProgram {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

const packages = ['wrk', 'libluajit-5.1-2'];
const folder = join(cacheDirectory, 'wrk');

let found: WrkProgram | Error | undefined;

/** Why there is no wrk here, or undefined where it is installed, or could be fetched (0.3 MB, once). */
export function whyNoWrk(): string | undefined {
  const program = find();
  return program instanceof Error ? program.message : undefined;
}

/** @throws Error where `whyNoWrk` says so */
export function wrkProgram(): WrkProgram {
  const program = find();
  if (program instanceof Error) throw program;
  return program;
}

function find(): WrkProgram | Error {
  found ??= installed() ?? fetched();
  return found;
}

function installed(): WrkProgram | undefined {
  const program = { command: 'wrk', env: {} };
  return runs(program) ? program : undefined;
}

/** From Debian's or Ubuntu's packages, unpacked and not installed: that needs no root. */
function fetched(): WrkProgram | Error {
  try {
    if (!existsSync(folder)) fetchPackages();
    const program = unpacked();
    if (runs(program)) return program;
    throw new Error(`${program.command} does not run`);
  } catch (cause) {
    const { message } = cause as Error;
    return new Error(`it needs wrk, which is neither in PATH nor to be had by apt-get: ${message}`, {
      cause,
    });
  }
}

function fetchPackages(): void {
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.wrk-'));
  try {
    execFileSync('apt-get', ['download', ...packages], { cwd: fresh, stdio: 'pipe' });
    for (const file of readdirSync(fresh))
      execFileSync('dpkg', ['-x', file, '.'], { cwd: fresh, stdio: 'pipe' });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function unpacked(): WrkProgram {
  const libraries = join(folder, 'usr/lib');
  const paths = readdirSync(libraries).map((architecture) => join(libraries, architecture));
  return { command: join(folder, 'usr/bin/wrk'), env: { LD_LIBRARY_PATH: paths.join(':') } };
}

/** Asked for its version it prints that, and ends with 1. */
function runs({ command, env }: WrkProgram): boolean {
  const { stdout } = spawnSync(command, ['--version'], { env: { ...process.env, ...env }, encoding: 'utf8' });
  return stdout?.startsWith('wrk ') ?? false;
}
