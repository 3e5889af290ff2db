import { expect, test } from 'vitest';

import { containerOf } from '../../src/server/proc/cgroup.ts';

const id = 'c0ffee00'.repeat(8);
const uid = '0a1b2c3d-1111-2222-3333-445566778899';
const uidInSlice = uid.replaceAll('-', '_');
const inPod = { containerId: id, podUid: uid };

test.for<[name: string, cgroup: string, expected: object | null]>([
  [
    'version 2, systemd, containerd',
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uidInSlice}.slice/cri-containerd-${id}.scope`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'version 2, systemd, CRI-O, with a cgroup of its own below',
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${uidInSlice}.slice/crio-${id}.scope/container`,
    { ...inPod, runtime: 'cri-o' },
  ],
  [
    'version 2, systemd, docker',
    `0::/kubepods.slice/kubepods-pod${uidInSlice}.slice/docker-${id}.scope`,
    { ...inPod, runtime: 'docker' },
  ],
  [
    'a zombie whose container has been removed',
    `0::/kubepods.slice/kubepods-pod${uidInSlice}.slice/cri-containerd-${id}.scope (deleted)`,
    { ...inPod, runtime: 'containerd' },
  ],
  ['version 2, cgroupfs, guaranteed', `0::/kubepods/pod${uid}/${id}`, { ...inPod, runtime: null }],
  ['version 2, cgroupfs, burstable', `0::/kubepods/burstable/pod${uid}/${id}`, { ...inPod, runtime: null }],
  [
    'a static pod, whose id is a hash',
    `0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/${id}`,
    { containerId: id, podUid: '0123456789abcdef0123456789abcdef', runtime: null },
  ],
  [
    'version 1, cgroupfs, a line for each controller',
    `12:pids:/kubepods/besteffort/pod${uid}/${id}\n11:memory:/kubepods/besteffort/pod${uid}/${id}\n1:name=systemd:/kubepods/besteffort/pod${uid}/${id}\n`,
    { ...inPod, runtime: null },
  ],
  [
    'version 1, systemd',
    `4:memory:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uidInSlice}.slice/cri-containerd-${id}.scope`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'containerd that is asked for cgroupfs on a systemd host',
    `0::/system.slice/containerd.service/kubepods-burstable-pod${uidInSlice}.slice:cri-containerd:${id}`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'the same, version 1',
    `4:memory:/system.slice/containerd.service/kubepods-besteffort-pod${uidInSlice}.slice:cri-containerd:${id}`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'kind: a node that is a container itself',
    `0::/docker/${'ab'.repeat(32)}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${uidInSlice}.slice/cri-containerd-${id}.scope`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'a cgroup namespace above',
    `0::/../../kubepods-burstable-pod${uidInSlice}.slice/cri-containerd-${id}.scope`,
    { ...inPod, runtime: 'containerd' },
  ],
  [
    'docker without Kubernetes',
    `0::/system.slice/docker-${id}.scope`,
    { containerId: id, runtime: 'docker', podUid: null },
  ],
  ['docker, version 1', `5:devices:/docker/${id}`, { containerId: id, runtime: null, podUid: null }],
  [
    'podman',
    `0::/machine.slice/libpod-${id}.scope/container`,
    { containerId: id, runtime: null, podUid: null },
  ],
  ["CRI-O's own helper", `0::/kubepods.slice/kubepods-pod${uidInSlice}.slice/crio-conmon-${id}.scope`, null],
  ['a service of the node', '0::/system.slice/nvidia-persistenced.service', null],
  ['somebody logged in', '0::/user.slice/user-1000.slice/session-3.scope', null],
  ['the root', '0::/', null],
  ['nothing', '', null],
])('%s', ([, cgroup, expected]) => {
  expect(containerOf(cgroup)).toEqual(expected);
});
