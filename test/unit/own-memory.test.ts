import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { ownMemory } from '../../src/server/own-memory.ts';

/** A machine of these files. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-memory-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const v2Mount = '31 24 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n';
const v1Mounts = (root: string) =>
  [
    '30 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs rw',
    `33 30 0:29 ${root} /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory`,
    `34 30 0:30 ${root} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct`,
  ].join('\n');

test('version 2, in a container that sees its own cgroup alone', () => {
  const root = machine({
    'proc/self/cgroup': '0::/\n',
    'proc/self/mountinfo': v2Mount,
    'sys/fs/cgroup/memory.current': '50000000\n',
    'sys/fs/cgroup/memory.stat': 'anon 1\nactive_file 7\ninactive_file 8000000\n',
    'sys/fs/cgroup/memory.max': '134217728\n',
  });

  expect(ownMemory(root)).toEqual({ workingSetBytes: 42_000_000, limitBytes: 134_217_728 });
});

test('version 2 without a limit', () => {
  const root = machine({
    'proc/self/cgroup': '0::/system.slice/agent.service\n',
    'proc/self/mountinfo': v2Mount,
    'sys/fs/cgroup/system.slice/agent.service/memory.current': '50000000\n',
    'sys/fs/cgroup/system.slice/agent.service/memory.stat': 'inactive_file 60000000\n',
    'sys/fs/cgroup/system.slice/agent.service/memory.max': 'max\n',
  });

  expect(ownMemory(root)).toEqual({ workingSetBytes: 0, limitBytes: null });
});

test('version 1, in a container whose cgroup is the root of the mount, by the path it has on the node', () => {
  const pod = '/kubepods/burstable/pod1/c1';
  const root = machine({
    'proc/self/cgroup': `5:cpu,cpuacct:${pod}\n4:memory:${pod}\n0::/\n`,
    'proc/self/mountinfo': `${v1Mounts(pod)}\n${v2Mount}`,
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '50000000\n',
    'sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 10000000\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  });

  expect(ownMemory(root)).toEqual({ workingSetBytes: 40_000_000, limitBytes: null });
});

test('the memory of the whole machine is nobody’s own', () => {
  const v1 = machine({
    'proc/self/cgroup': '4:memory:/\n',
    'proc/self/mountinfo': v1Mounts('/'),
    'sys/fs/cgroup/memory/cgroup.sane_behavior': '0\n',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '50000000000\n',
    'sys/fs/cgroup/memory/memory.stat': '',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
  });
  const v2 = machine({
    'proc/self/cgroup': '0::/\n',
    'proc/self/mountinfo': v2Mount,
    'sys/fs/cgroup/memory.stat': '',
  });

  expect([ownMemory(v1), ownMemory(v2), ownMemory(machine({}))]).toEqual([undefined, undefined, undefined]);
});
