import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface OwnMemory {
  /** What the kubelet calls the working set: usage without file pages that were not used lately. */
  readonly workingSetBytes: number;
  /** Null where there is none. */
  readonly limitBytes: number | null;
}

/** The files of a memory cgroup in one version of the interface. Source: the kernel's admin-guide, cgroup-v1 and -v2. */
interface Version {
  readonly filesystem: string;
  /** Of /proc/self/cgroup: the controllers of our line. */
  readonly controllers: RegExp;
  readonly usage: string;
  readonly inactiveFile: string;
  readonly limit: string;
}

const versions: readonly Version[] = [
  {
    filesystem: 'cgroup',
    controllers: /(^|,)memory(,|$)/,
    usage: 'memory.usage_in_bytes',
    inactiveFile: 'total_inactive_file',
    limit: 'memory.limit_in_bytes',
  },
  {
    filesystem: 'cgroup2',
    controllers: /^$/,
    usage: 'memory.current',
    inactiveFile: 'inactive_file',
    limit: 'memory.max',
  },
];

/** Version 1 has no word for "no limit": it shows the greatest number of pages there can be. */
const noLimitFrom = 2 ** 62;

/**
 * What the kernel accounts to this process's own cgroup, as the kubelet sees it; undefined where that cannot be told: no
 * memory controller, or no cgroup but the machine's own.
 *
 * @param root where /proc and /sys are
 */
export function ownMemory(root = '/'): OwnMemory | undefined {
  const text = (path: string) => readFileSync(join(root, path), 'utf8');
  try {
    for (const version of versions) {
      const folder = folderOf(version, text('proc/self/cgroup'), text('proc/self/mountinfo'));
      // The machine's own cgroup has no usage file in version 2, and in version 1 this file that no other has.
      if (folder === undefined || !existsSync(join(root, folder, version.usage))) continue;
      if (existsSync(join(root, folder, 'cgroup.sane_behavior'))) return undefined;
      return read(version, (file) => text(join(folder, file)));
    }
  } catch {
    // gone, or not ours to read
  }
  return undefined;
}

/** A container may see all cgroups, or its own alone as the root of the mount. */
function folderOf({ filesystem, controllers }: Version, own: string, mounts: string): string | undefined {
  const path = own
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .find((line) => line && controllers.test(line[1] ?? ''))?.[2];
  const mount = mounts
    .split('\n')
    .map((line) => /^\d+ \d+ \S+ (\S+) (\S+) .* - (\S+) \S+ (\S+)$/.exec(line))
    .find(
      (line) => line?.[3] === filesystem && (filesystem === 'cgroup2' || controllers.test(line[4] ?? '')),
    );
  if (path === undefined || !mount) return undefined;
  const below = relative(mount[1] ?? '/', path);
  return below.startsWith('..') ? mount[2] : join(mount[2] ?? '', below);
}

function read({ usage, inactiveFile, limit }: Version, text: (file: string) => string): OwnMemory {
  const inactive = Number(new RegExp(`^${inactiveFile} (\\d+)$`, 'm').exec(text('memory.stat'))?.[1] ?? 0);
  const limitBytes = Number(text(limit)); // NaN for the word max
  return {
    workingSetBytes: Math.max(0, Number(text(usage)) - inactive),
    limitBytes: limitBytes < noLimitFrom ? limitBytes : null,
  };
}
