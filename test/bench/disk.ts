import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { leavingNothing, temporaryFolder } from './processes.ts';

const defaultMiB = 300;

/** Why no disk of our own can be made here, or undefined where one can. */
export function whyNoDisk(): string | undefined {
  try {
    createDisk(128)[Symbol.dispose]();
    return undefined;
  } catch (cause) {
    return `it needs to mount a file as a disk, which takes root and mkfs.ext4: ${(cause as Error).message}`;
  }
}

/**
 * A disk of its own, for how far ahead the kernel reads decides what a program needs: with 8 MiB, as some virtual
 * machines have it, one page that is fetched throws half of a small cgroup out. Disks of the machine are left as they are.
 */
export function createDisk(
  readAheadKiB: number,
  sizeMiB = defaultMiB,
): { readonly folder: string } & Disposable {
  const temporary = temporaryFolder();
  const image = join(temporary.folder, 'image');
  const folder = join(temporary.folder, 'disk');
  let device: string | undefined;
  const removal = leavingNothing(() => {
    if (device !== undefined) detach(device, folder);
    temporary[Symbol.dispose]();
  });
  try {
    writeFileSync(image, '');
    truncateSync(image, sizeMiB * 2 ** 20);
    mkdirSync(folder);
    run('mkfs.ext4', ['-q', '-F', image]);
    // Direct: else its pages would be in memory a second time, as those of the file behind it.
    device = run('losetup', ['--find', '--show', '--direct-io=on', image]).trim();
    run('mount', [device, folder]);
    writeFileSync(device.replace('/dev/', '/sys/block/').concat('/queue/read_ahead_kb'), `${readAheadKiB}`);
  } catch (cause) {
    removal[Symbol.dispose]();
    throw cause;
  }
  return { folder, ...removal };
}

/** Lazily: a program that was killed a moment ago may still hold it, and the last to leave frees it. */
function detach(device: string, folder: string): void {
  try {
    run('umount', ['--lazy', folder]);
  } finally {
    run('losetup', ['--detach', device]);
  }
}

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
}
