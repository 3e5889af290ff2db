import { expect, test } from 'vitest';

import type { PeerPath } from '../../src/core/topology.ts';
import { gpu, nowMs } from '../support/gpus.ts';
import { askTopology, link, links, type Peers, path, peersOf } from '../support/topologies.ts';

test('the matrix tells by how many NVLinks two GPUs reach each other, or how far apart they are', () => {
  const direct = [0, 1].map((at) => link(at, { remoteType: 'gpu', remotePciAddress: '0000:11:00.0' }));
  const gpus = [
    gpu(0, { nvlinks: direct }),
    gpu(1, { nvlinks: links(18) }),
    gpu(2, { nvlinks: links(18), numaAffinity: [1] }),
    gpu(3, { nvlinks: { missing: 'notSupported' } }),
  ];
  const peers = peersOf([
    [path(1, 'PIX'), path(2, 'SYS'), path(3, 'SYS')],
    [path(0, 'PIX', { nvlink: 'notSupported' }), path(2, 'SYS'), path(3, 'SYS', { nvlink: 'notSupported' })],
    [path(0, 'SYS', { nvlink: 'notSupported' }), path(1, 'SYS'), path(3, 'PHB', { nvlink: 'notSupported' })],
  ]);

  const answer = askTopology({ node: gpus }, { detail: 'full' }, peers);

  const from = answer.indexOf('node:');
  expect(answer.slice(from, from + 6)).toEqual([
    'node:',
    '     GPU0 GPU1 GPU2 GPU3',
    'GPU0 X    NV2  SYS  SYS  NUMA 0',
    'GPU1 PIX  X    NV18 SYS  NUMA 0',
    'GPU2 SYS  NV18 X    PHB  NUMA 1',
    'GPU3 ?    ?    ?    X    NUMA 0',
  ]);
});

test('one GPU is told with each link, its slot and its place in the machine', () => {
  const nvlinks = [link(0), link(1, { active: false, remotePciAddress: null }), link(2, { active: null })];

  const text = askTopology({ node: [gpu(0, { nvlinks }), gpu(1)] }, { detail: 'full' }).join('\n');

  expect(text).toContain('links 0 up 0000:c1:00.0, 1 DOWN, 2 ? 0000:c1:00.0');
  expect(text).toContain('PCI 0000:0a:00.0, PCIe gen 5 of 5, 16 of 16 lanes');
  expect(text).toContain('memory is NUMA node 2, near NUMA node 0, near CPUs 0-47,96-143');
  expect(text).toContain('ways to other GPUs not known: the driver has not answered');
});

test('a GPU that cannot be read any more is said to be so', () => {
  expect(askTopology({ node: [gpu(0, {}, { trouble: 'lost' })] }).join('\n')).toMatch(/node GPU 0 .*: lost/i);
});

test('ways to other GPUs that the driver refuses to tell are said not to be known, and why', () => {
  const refused = { missing: 'noPermission' } as const;
  const untold: PeerPath = {
    ...path(1, 'SYS'),
    commonAncestor: { missing: 'nvmlReturn999' },
    p2p: {
      read: refused,
      write: refused,
      nvlink: refused,
      atomics: refused,
      pci: { missing: 'notSupported' },
    },
  };
  const node = { node: [gpu(0), gpu(1)] };
  const peers = peersOf([[untold], [path(0, 'SYS')]]);

  const [head, row] = askTopology(node, {}, peers);
  const full = askTopology(node, { detail: 'full' }, peers).join('\n');

  expect(head).toContain('none in trouble; ways to others not known of 1.');
  expect(row).toContain(
    'ways to 1 of 1 other GPUs not known: commonAncestor (nvmlReturn999), read (noPermission)',
  );
  expect(full).toContain('read write nvlink atomics (noPermission), pci (notSupported)');
});

test('an answer that is missing as a whole has its reason, and a GPU that is alone needs none', () => {
  const peers: Peers = new Map([[0, { readAtMs: nowMs, answer: { missing: 'noPermission' } }]]);

  expect(askTopology({ node: [gpu(0), gpu(1)] }, {}, peers)[1]).toContain(
    'other GPUs not known: noPermission',
  );
  expect(askTopology({ node: [gpu(0)] }).join('\n')).not.toContain('not known');
});

test('a GPU that has gone is told with its PCI address where another has its index, and stands in no matrix', () => {
  const gpus = [gpu(0), { ...gpu(2), index: 1 }, gpu(1, {}, { trouble: 'vanished' })];
  const peers = peersOf([[path(1, 'PIX')], [path(0, 'PIX')]]);

  const text = askTopology({ a: gpus }, { detail: 'full' }, peers);

  expect(text.join('\n')).toContain('a GPU 1 at PCI 0000:11:00.0 (NVIDIA H100 80GB HBM3): VANISHED');
  expect(text.filter((line) => line.startsWith('GPU'))).toHaveLength(2);
  expect(text.join('\n')).toMatch(/^ +GPU0 +GPU1$/m);
});
