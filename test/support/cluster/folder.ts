import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const prefix = 'k8s-gpu-mcp-cluster-';

/**
 * A new folder for a cluster. Its name carries our process id, so that folders of processes that were killed,
 * 120 MB each, are found and removed here by the next one.
 */
export function makeFolder(): string {
  for (const name of readdirSync(tmpdir()).filter(isLeftOver)) removeFolder(join(tmpdir(), name));
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** Whether this is the name of a cluster's folder whose process is gone. */
export function isLeftOver(name: string): boolean {
  const owner = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
  return owner > 0 && !isAlive(owner);
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM'; // someone else's
  }
}
