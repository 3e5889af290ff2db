import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What to spawn for a program that the kernel kills when the benchmark ends, however it ends: nothing that was
 * started may go on and spoil the next figures. It keeps its process id.
 */
export function diesWithUs(command: string, args: readonly string[]): [string, string[]] {
  return ['setpriv', ['--pdeathsig', 'KILL', '--', command, ...args]];
}

/** What is undone when it is disposed of, or when this process ends before that: by Ctrl-C, for example. */
export function leavingNothing(undo: () => void): Disposable {
  process.once('exit', undo);
  return {
    [Symbol.dispose]() {
      process.off('exit', undo);
      undo();
    },
  };
}

/** A folder for files that are needed for a while. */
export function temporaryFolder(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-bench-'));
  return { folder, ...leavingNothing(() => rmSync(folder, { recursive: true, force: true })) };
}
