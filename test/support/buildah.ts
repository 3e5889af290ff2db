import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianProgram, whyNoProgram } from './debian.ts';

const repository = join(import.meta.dirname, '../..');

/** Builds our Dockerfile with a program that needs no daemon; images it stands on come from archives. Needs root. */
export interface Buildah {
  /** Builds for a platform, and packs the result as an OCI archive. */
  build(platform: string, buildArgs: Readonly<Record<string, string>>, archive: string): void;
}

/** Why there is no buildah here, or undefined where it is installed, or could be fetched (7 MB, once). */
export function whyNoBuildah(): string | undefined {
  return process.getuid?.() === 0 ? whyNoProgram(program) : 'buildah without a user namespace needs root';
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

function program() {
  const libraries = ['libgpgme11', 'libdevmapper1.02.1', 'libassuan0', 'libsubid4', 'libseccomp2'];
  return debianProgram('usr/bin/buildah', ['buildah', ...libraries]);
}
