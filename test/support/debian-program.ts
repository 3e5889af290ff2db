import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';

import { cacheDirectory } from './cache.ts';

export interface DebianProgram {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A program that is installed here, or else is unpacked from Debian's or Ubuntu's packages into the cache, once: that
 * installs nothing and needs no root.
 *
 * @param path in its package: `usr/bin/buildah`
 * @param packages its own, and those of the libraries that a small system may lack
 * @throws Error where it neither is nor can be had
 */
export function debianProgram(path: string, packages: readonly string[]): DebianProgram {
  const name = basename(path);
  const { PATH = '' } = process.env;
  if (spawnSync(name, ['--version']).status === 0) return { command: name, env: { PATH } };
  const folder = join(cacheDirectory, `unpacked-${name}`);
  try {
    if (!existsSync(folder)) unpack(packages, folder);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`it needs ${name}, which is neither in PATH nor to be had by apt-get: ${message}`, {
      cause,
    });
  }
  const libraries = ['lib', 'usr/lib'].map((place) => join(folder, place)).filter(existsSync);
  const searched = libraries.flatMap((place) => readdirSync(place).map((entry) => join(place, entry)));
  return { command: join(folder, path), env: { PATH, LD_LIBRARY_PATH: searched.join(':') } };
}

/** Why it does not run here, or undefined where it does. */
export function whyNoProgram(find: () => DebianProgram): string | undefined {
  try {
    const { command, env } = find();
    const { status, error, stderr } = spawnSync(command, ['--version'], { env, encoding: 'utf8' });
    return status === 0 ? undefined : `${command} does not run: ${error?.message ?? stderr.trim()}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function unpack(packages: readonly string[], folder: string): void {
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.unpacked-'));
  try {
    execFileSync('apt-get', ['download', ...packages], { cwd: fresh, stdio: 'pipe' });
    for (const deb of readdirSync(fresh)) {
      execFileSync('dpkg', ['-x', deb, '.'], { cwd: fresh, stdio: 'pipe' });
      rmSync(join(fresh, deb));
    }
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
