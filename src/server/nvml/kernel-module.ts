import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Whether the node has NVIDIA's kernel module, which a container sees whether or not it was given the GPUs: it tells a
 * driver that is not shown to the pod from one that is not there.
 *
 * Source: /proc/driver/nvidia/version, and /proc/modules where a container runtime covers that.
 */
export function kernelModuleText(proc = '/proc'): string {
  const [, version] =
    /Kernel Module(?: for \S+)?\s+(\d[\d.]*)/.exec(textOf(join(proc, 'driver/nvidia/version')) ?? '') ?? [];
  if (version !== undefined)
    return `the node has the NVIDIA kernel module ${version} loaded: its driver is not visible in this pod`;
  const modules = textOf(join(proc, 'modules'));
  if (modules === undefined) return ''; // a kernel that takes no modules has no such file
  if (/^nvidia /m.test(modules))
    return 'the node has the NVIDIA kernel module loaded: its driver is not visible in this pod';
  return 'the node has no NVIDIA kernel module loaded';
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
