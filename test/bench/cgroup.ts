import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { leavingNothing } from './processes.ts';

/** The files of a memory cgroup in either version of the interface. */
interface Version {
  readonly root: string;
  readonly limit: string;
  /** With it nothing is swapped out, as on most Kubernetes nodes; absent where the kernel does not account for swap. */
  readonly swap: { readonly file: string; readonly value: (limitBytes: number) => number };
  readonly usage: string;
  readonly inactiveFile: string;
  readonly events: string;
}

const versions: readonly Version[] = [
  {
    root: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    swap: { file: 'memory.memsw.limit_in_bytes', value: (limitBytes) => limitBytes },
    usage: 'memory.usage_in_bytes',
    inactiveFile: 'total_inactive_file',
    events: 'memory.oom_control',
  },
  {
    root: '/sys/fs/cgroup',
    limit: 'memory.max',
    swap: { file: 'memory.swap.max', value: () => 0 },
    usage: 'memory.current',
    inactiveFile: 'inactive_file',
    events: 'memory.events',
  },
];

export interface Cgroup extends Disposable {
  /** The file that a process joins by: it writes its id there. */
  readonly procs: string;
  /** What the kubelet calls the working set: usage without file pages that were not used lately. */
  workingSetMB(): number;
  oomKills(): number;
}

let made = 0;

/** Why no memory cgroup can be made here, or undefined where one can. */
export function whyNoCgroup(): string | undefined {
  try {
    createCgroup(64)[Symbol.dispose]();
    return undefined;
  } catch (cause) {
    return `it needs to make a memory cgroup, which takes root: ${(cause as Error).message}`;
  }
}

/**
 * A memory cgroup of its own, under no other's limit. It is removed when it is disposed of or this process ends.
 *
 * @throws Error where the kernel has none, or we may not
 */
export function createCgroup(limitMiB: number): Cgroup {
  const version = versions.find(({ root, limit }) => existsSync(join(root, limit)) || offersMemory(root));
  if (!version) throw new Error('there is no memory controller in /sys/fs/cgroup');
  const folder = join(version.root, `k8s-gpu-mcp-bench-${process.pid}-${made++}`);
  const text = (file: string) => readFileSync(join(folder, file), 'utf8');
  const field = (file: string, name: string) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text(file))?.[1] ?? Number.NaN);
  mkdirSync(folder);
  const removal = leavingNothing(() => removeCgroup(folder));
  try {
    limit(folder, version, limitMiB * 2 ** 20);
  } catch (cause) {
    removal[Symbol.dispose]();
    throw cause;
  }
  return {
    ...removal,
    procs: join(folder, 'cgroup.procs'),
    workingSetMB: () => (Number(text(version.usage)) - field('memory.stat', version.inactiveFile)) / 1e6,
    oomKills: () => field(version.events, 'oom_kill'),
  };
}

/** In version 2 only where the parent hands the controller down. */
function offersMemory(root: string): boolean {
  const handedDown = join(root, 'cgroup.subtree_control');
  return existsSync(handedDown) && readFileSync(handedDown, 'utf8').split(/\s/).includes('memory');
}

function limit(folder: string, { limit, swap }: Version, bytes: number): void {
  writeFileSync(join(folder, limit), `${bytes}`);
  if (existsSync(join(folder, swap.file))) writeFileSync(join(folder, swap.file), `${swap.value(bytes)}`);
}

/** Also when this process ends in the middle: so it kills what is in it, and waits without giving way. */
function removeCgroup(folder: string): void {
  const giveUpAt = performance.now() + 5000;
  for (;;) {
    try {
      for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
        process.kill(Number(pid), 'SIGKILL');
      rmdirSync(folder);
      return;
    } catch (cause) {
      if (performance.now() > giveUpAt) throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
