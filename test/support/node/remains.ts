import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { outermostCgroups } from './cgroups.ts';
import type { NodeCluster } from './cluster.ts';

/** How much there is of a cluster, from the kernel's books and not from the harness's. */
export function remains({ folder, server }: NodeCluster, processes: readonly string[]) {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return {
    processes: processes.filter(isAlive).length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split(folder).length - 1,
    interfaces: addresses.filter(({ address }) => address === new URL(server).hostname).length,
    cgroups: outermostCgroups().filter((name) => folder.endsWith(name)).length,
    files: existsSync(folder) ? 1 : 0,
  };
}

/** A zombie is not: only its parent has not looked yet. */
function isAlive(pid: string): boolean {
  return /^State:\s+[^ZX]/m.test(statusOf(pid));
}

/** Process identifiers of all that `pid` has started, and what those have. */
export function descendants(pid: number | string): string[] {
  const children = readdirSync('/proc').filter((entry) => parentOf(entry) === `${pid}`);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function parentOf(pid: string): string | undefined {
  return /^PPid:\s+(\d+)$/m.exec(statusOf(pid))?.[1];
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
