import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { agentBinary } from '../support/build.ts';

/** A fresh copy of the agent in a folder, not in the page cache: as on a node that has just pulled the image. */
export function coldCopy(folder: string): { readonly program: string } & Disposable {
  const program = join(folder, 'agent');
  copyFileSync(agentBinary, program);
  // Copies nothing; GNU dd then writes out what the file still owes the disk, and drops its pages.
  const drop = [`of=${program}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'];
  execFileSync('dd', ['if=/dev/null', ...drop]);
  return { program, [Symbol.dispose]: () => rmSync(program) };
}

/** What a process has caused to be read from the disk so far, in MB. */
export function readFromDiskMB(pid: number): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]) / 1e6;
}

/** How often a page had to be fetched from the disk for a process so far: thousands, where pages are evicted that are needed. */
export function majorFaults(pid: number): number {
  const [, afterName = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  return Number(afterName.split(' ')[9]);
}
