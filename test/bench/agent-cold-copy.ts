import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
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
