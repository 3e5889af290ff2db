import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheDirectory } from './cache.ts';

const repository = join(import.meta.dirname, '../..');
const kept = join(cacheDirectory, 'buildah');
/** Debian's buildah, and the libraries it needs of which a small system may lack one. */
const packages = ['buildah', 'libgpgme11', 'libdevmapper1.02.1', 'libassuan0', 'libsubid4', 'libseccomp2'];

/** Builds our Dockerfile with a program that needs no daemon; images it stands on come from archives. Needs root. */
export interface Buildah {
  /** Builds for a platform, and packs the result as an OCI archive. */
  build(platform: string, buildArgs: Readonly<Record<string, string>>, archive: string): void;
}

/** Why there is no buildah here, or undefined where it is installed, or could be fetched (7 MB, once). */
export function whyNoBuildah(): string | undefined {
  if (process.getuid?.() !== 0) return 'buildah without a user namespace needs root';
  try {
    const { status, error, stderr } = spawnSync(program().command, ['--version'], { env: program().env });
    return status === 0 ? undefined : `buildah does not run: ${error ?? stderr}`;
  } catch (cause) {
    return `it needs buildah, which is neither in PATH nor to be had by apt-get: ${(cause as Error).message}`;
  }
}

/** @param folder where it keeps everything, and which the caller removes */
export function buildahIn(folder: string): Buildah {
  const { command, env } = program();
  mkdirSync(folder, { recursive: true });
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] })); // local archives only
  const store = [
    '--root',
    join(folder, 'store'),
    '--runroot',
    join(folder, 'run'),
    '--storage-driver',
    'vfs',
  ];
  const run = (...args: string[]) =>
    execFileSync(command, [...store, ...args], {
      cwd: repository,
      env: { ...env, TMPDIR: folder },
      stdio: 'pipe',
    });
  return {
    build(platform, buildArgs, archive) {
      const given = Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
      const how = ['--isolation', 'chroot', '--signature-policy', policy, '--platform', platform];
      run('build', ...how, ...given, '--tag', 'built', '.');
      run('push', '--signature-policy', policy, 'built', `oci-archive:${archive}`);
    },
  };
}

function program(): { command: string; env: Record<string, string> } {
  const { PATH = '' } = process.env;
  if (spawnSync('buildah', ['--version']).status === 0) return { command: 'buildah', env: { PATH } };
  if (!existsSync(kept)) fetchPackages();
  const libraries = readdirSync(join(kept, 'usr/lib')).map((place) => join(kept, 'usr/lib', place));
  const inRoot = readdirSync(join(kept, 'lib')).map((place) => join(kept, 'lib', place));
  return {
    command: join(kept, 'usr/bin/buildah'),
    env: { PATH, LD_LIBRARY_PATH: [...libraries, ...inRoot].join(':') },
  };
}

function fetchPackages(): void {
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.buildah-'));
  try {
    execFileSync('apt-get', ['download', ...packages], { cwd: fresh, stdio: 'pipe' });
    mkdirSync(join(fresh, 'lib'), { recursive: true });
    for (const deb of readdirSync(fresh).filter((file) => file.endsWith('.deb')))
      execFileSync('dpkg', ['-x', deb, '.'], { cwd: fresh, stdio: 'pipe' });
    renameSync(fresh, kept);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
