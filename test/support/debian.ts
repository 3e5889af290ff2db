import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';

import { cacheDirectory } from './cache.ts';
import { onPath } from './cluster/programs.ts';

export interface DebianProgram {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

const { PATH = '' } = process.env;

/**
 * The folders that Debian's or Ubuntu's packages are unpacked in: into the cache, once. That installs nothing and needs
 * no root.
 *
 * @throws Error with what apt-get said
 */
export function debianPackages(...names: readonly string[]): string[] {
  const missing = names.filter((name) => cachedPackage(name) === undefined);
  if (missing.length > 0) fetchPackages(missing);
  return names.map((name) => {
    const folder = cachedPackage(name);
    if (folder === undefined) throw new Error(`apt-get left no file of Debian's package ${name}`);
    return folder;
  });
}

/** Where it is, if it has been fetched before: `NAME_VERSION_ARCHITECTURE`. */
export function cachedPackage(name: string): string | undefined {
  const found = existsSync(cacheDirectory) ? readdirSync(cacheDirectory) : [];
  const folder = found
    .filter((entry) => entry.startsWith(`${name}_`))
    .sort()
    .at(-1);
  return folder && join(cacheDirectory, folder);
}

/** For LD_LIBRARY_PATH. */
export function librariesIn(folders: readonly string[]): string {
  const places = folders.flatMap((folder) => [join(folder, 'lib'), join(folder, 'usr/lib')]);
  return places
    .filter(existsSync)
    .flatMap((place) => readdirSync(place).map((architecture) => join(place, architecture)))
    .join(':');
}

/**
 * @param path in the first package: `usr/sbin/runc`
 * @param packages its own, and those of the libraries that a small system may lack
 * @throws Error with what apt-get said
 */
export function unpackedProgram(path: string, packages: readonly string[]): DebianProgram {
  const folders = debianPackages(...packages);
  const [own = ''] = folders;
  return { command: join(own, path), env: { PATH, LD_LIBRARY_PATH: librariesIn(folders) } };
}

/** The one that is installed here, or else the unpacked one, as `unpackedProgram` has it. */
export function debianProgram(path: string, packages: readonly string[]): DebianProgram {
  const installed = onPath(basename(path));
  return installed ? { command: installed, env: { PATH } } : unpackedProgram(path, packages);
}

/** Why it does not run here, or undefined where it does. */
export function whyNoProgram(find: () => DebianProgram): string | undefined {
  try {
    const { command, env } = find();
    const { status, error, stderr } = spawnSync(command, ['--version'], { env, encoding: 'utf8' });
    // 127: a library is missing. Others than 0 are no failure: wrk tells its version and ends with 1.
    if (status !== null && status !== 127) return undefined;
    return `${command} does not run: ${error?.message ?? stderr.trim()}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function fetchPackages(names: readonly string[]): void {
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.debian-'));
  try {
    for (const file of download(names, fresh)) {
      const unpacked = join(fresh, 'unpacked');
      run('dpkg', ['-x', file, unpacked], fresh);
      moveIn(unpacked, join(cacheDirectory, file.replace(/\.deb$/, '')));
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`fetching ${names.join(', ')} of Debian failed: ${why}`, { cause });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Whole, or not at all; where another process was faster, its folder stays. */
function moveIn(fresh: string, folder: string): void {
  try {
    renameSync(fresh, folder);
  } catch (cause) {
    if (!existsSync(folder)) throw cause;
    rmSync(fresh, { recursive: true });
  }
}

/** With the machine's package lists; where it has none, with lists of our own. Returns the files' names. */
function download(names: readonly string[], folder: string): string[] {
  try {
    run('apt-get', ['download', ...names], folder);
  } catch {
    for (const needed of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(join(folder, needed), { recursive: true });
    const places = { State: join(folder, 'state'), Cache: join(folder, 'cache') };
    const settings = { ...places, 'State::status': '/var/lib/dpkg/status' };
    const own = Object.entries(settings).flatMap(([name, value]) => ['-o', `Dir::${name}=${value}`]);
    run('apt-get', [...own, 'update'], folder);
    run('apt-get', [...own, 'download', ...names], folder);
  }
  return readdirSync(folder).filter((entry) => entry.endsWith('.deb'));
}

function run(program: string, args: readonly string[], folder: string): void {
  execFileSync(program, args, { cwd: folder, stdio: 'pipe' });
}
