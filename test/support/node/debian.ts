import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../cache.ts';

const run = promisify(execFile);

/**
 * The folder that Debian's or Ubuntu's package is unpacked in: into the cache, once, and without installing it.
 * @throws Error with what apt-get said
 */
export async function debianPackage(name: string): Promise<string> {
  return cachedPackage(name) ?? (await fetchPackage(name));
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

async function fetchPackage(name: string): Promise<string> {
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.debian-'));
  try {
    const file = await download(name, fresh);
    const unpacked = join(fresh, 'unpacked');
    await run('dpkg', ['-x', join(fresh, file), unpacked]);
    const folder = join(cacheDirectory, file.replace(/\.deb$/, ''));
    if (!existsSync(folder)) renameSync(unpacked, folder);
    return folder;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`fetching Debian's package ${name} failed: ${why}`, { cause });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** With the machine's package lists; where it has none, with lists of our own. */
async function download(name: string, folder: string): Promise<string> {
  const get = (options: readonly string[], ...args: string[]) =>
    run('apt-get', [...options, ...args], { cwd: folder });
  try {
    await get([], 'download', name);
  } catch {
    for (const needed of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(join(folder, needed), { recursive: true });
    const own = ['-o', `Dir::State=${join(folder, 'state')}`, '-o', `Dir::Cache=${join(folder, 'cache')}`];
    await get([...own, '-o', 'Dir::State::status=/var/lib/dpkg/status'], 'update');
    await get([...own, '-o', 'Dir::State::status=/var/lib/dpkg/status'], 'download', name);
  }
  const file = readdirSync(folder).find((entry) => entry.endsWith('.deb'));
  if (file === undefined) throw new Error('apt-get left no file');
  return file;
}
