import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { waitSync } from './wait-sync.ts';

const root = '/sys/fs/cgroup';
const isUnified = existsSync(join(root, 'cgroup.controllers')); // version 2

/** Makes the cgroup `name`, such as `/cluster/gpu-1`, in every hierarchy. */
export function makeCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    let path = hierarchy;
    for (const part of name.split('/').filter(Boolean)) {
      handDown(path);
      path = join(path, part);
      mkdirSync(path, { recursive: true });
      if (basename(hierarchy) === 'cpuset') copyCpuset(path);
    }
    handDown(path);
  }
}

/** Removes the cgroup with all below it, whose processes have been killed. */
export function removeCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const path = join(hierarchy, name);
    waitSync(`end of the processes in ${path}`, () => !existsSync(path) || removed(path));
  }
}

/** Names of the machine's outermost cgroups. */
export function outermostCgroups(): string[] {
  return [...new Set(hierarchies().flatMap((hierarchy) => readdirSync(hierarchy)))];
}

/**
 * What the kubelet calls the working set: what the container uses, less the files that the kernel could drop. It is what
 * limits and evictions look at.
 *
 * @param name a cgroup that the container's is somewhere below
 * @returns undefined where no such container runs
 */
export function workingSetBytes(name: string, containerId: string): number | undefined {
  const path = cgroupOf(name, containerId);
  if (path === undefined) return undefined;
  const usage = Number(
    readFileSync(join(path, isUnified ? 'memory.current' : 'memory.usage_in_bytes'), 'utf8'),
  );
  const key = isUnified ? 'inactive_file' : 'total_inactive_file';
  const inactive = new RegExp(`^${key} (\\d+)$`, 'm').exec(
    readFileSync(join(path, 'memory.stat'), 'utf8'),
  )?.[1];
  return usage - Number(inactive);
}

/** The processes of a container, as this machine numbers them; none where no such container runs. */
export function processesOf(name: string, containerId: string): number[] {
  const path = cgroupOf(name, containerId);
  if (path === undefined) return [];
  return readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
}

function cgroupOf(name: string, containerId: string): string | undefined {
  const top = join(isUnified ? root : join(root, 'memory'), name);
  return foldersBelow(top).find((folder) => basename(folder).includes(containerId));
}

function hierarchies(): string[] {
  if (isUnified) return [root];
  const folders = readdirSync(root).map((name) => join(root, name));
  return folders.filter((path) => lstatSync(path).isDirectory() && existsSync(join(path, 'cgroup.procs')));
}

/** In version 2 a cgroup has the controllers that the one above hands down; not every one can be. */
function handDown(path: string): void {
  if (!isUnified) return;
  for (const controller of ['cpu', 'cpuset', 'io', 'memory', 'pids']) {
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`);
    } catch {}
  }
}

/** In version 1 a new one has no CPU, and nothing may run in it. */
function copyCpuset(path: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    writeFileSync(join(path, file), readFileSync(join(path, '..', file)));
}

function removed(path: string): boolean {
  try {
    for (const folder of foldersBelow(path).reverse()) rmdirSync(folder);
    rmdirSync(path);
    return true;
  } catch {
    return false; // a process in it is still ending
  }
}

/** Those above come before those below. */
function foldersBelow(path: string): string[] {
  const folders = existsSync(path) ? readdirSync(path, { withFileTypes: true }) : [];
  return folders
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [join(path, name), ...foldersBelow(join(path, name))]);
}
