import type { ContainerOfProcess } from '../../core/process.ts';

type Runtime = NonNullable<ContainerOfProcess['runtime']>;

/** What container runtimes put before the id of a container in the name of its cgroup. */
const runtimes: Readonly<Record<string, Runtime>> = {
  'cri-containerd': 'containerd',
  containerd: 'containerd',
  crio: 'cri-o',
  docker: 'docker',
};

/** `cri-containerd-ID.scope` (systemd), `ID` (cgroupfs), `libpod-ID.scope` (podman). Not `crio-conmon-ID.scope`, CRI-O's own helper. */
const containerPart = /^(?:([a-z]+(?:-[a-z]+)?)-)?([\da-f]{64})(?:\.scope)?$/;
/** `kubepods-burstable-pod1234_….slice` (systemd), `pod1234-…` (cgroupfs). A static pod's id is a hash without dashes. */
const podPart =
  /(?:^|-)pod([\da-f]{8}[_-][\da-f]{4}[_-][\da-f]{4}[_-][\da-f]{4}[_-][\da-f]{12}|[\da-f]{32})(?:\.slice)?$/;

/** What the kernel puts behind the cgroup of a zombie whose container is gone already. */
const removed = / \(deleted\)$/;

/**
 * Which container a process is in, by the text of its /proc/PID/cgroup; null for a process of no container. Of version 1 and 2,
 * under the drivers systemd and cgroupfs; of containers in containers (kind) it is the innermost.
 *
 * Source: kubernetes pkg/kubelet/cm/cgroup_manager_linux.go; the runtimes' own names of scopes
 */
export function containerOf(cgroup: string): ContainerOfProcess | null {
  for (const line of cgroup.split('\n')) {
    const path = line.split(':').slice(2).join(':').replace(removed, '');
    const parts = path.split('/');
    const at = parts.findLastIndex((part) => containerIn(part) !== null);
    const container = containerIn(parts[at] ?? '');
    if (!container) continue;
    const names = parts.slice(0, at + 1).flatMap((part) => part.split(':'));
    const pod = names.findLast((name) => podPart.test(name));
    return { ...container, podUid: pod === undefined ? null : uidIn(pod) };
  }
  return null;
}

function containerIn(part: string): Pick<ContainerOfProcess, 'containerId' | 'runtime'> | null {
  // A path in systemd's form that runc without its driver takes for one folder: `kubepods-…-podUID.slice:cri-containerd:ID`.
  const [, prefix, containerId] = containerPart.exec(part.split(':').at(-1) ?? '') ?? [];
  if (containerId === undefined || prefix === 'crio-conmon') return null;
  const named = prefix ?? part.split(':').at(-2);
  return { containerId, runtime: runtimes[named ?? ''] ?? null };
}

function uidIn(part: string): string | null {
  return podPart.exec(part)?.[1]?.replaceAll('_', '-') ?? null;
}
