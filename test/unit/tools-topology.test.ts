import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { NvLink } from '../../src/core/link-readings.ts';
import type { Answers, GpuState } from '../../src/core/snapshot.ts';
import type { CommonAncestor, PeerPath } from '../../src/core/topology.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { topology } from '../../src/tools/topology.ts';
import { contextOf } from '../support/answers.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

type Peers = Answers['peers'];

function link(number: number, given: Partial<NvLink> = {}): NvLink {
  return {
    link: number,
    active: true,
    version: 4,
    speedMegabytesPerSecond: 26_562,
    remoteType: 'switch',
    remotePciAddress: '0000:c1:00.0',
    errors: { replays: 0 },
    missing: {},
    ...given,
  };
}

const links = (count: number) => Array.from({ length: count }, (_, at) => link(at));

function path(index: number, commonAncestor: CommonAncestor, p2p: Record<string, string> = {}): PeerPath {
  const status = (name: string) => ({ value: p2p[name] ?? 'ok' });
  return {
    index,
    commonAncestor: { value: commonAncestor },
    p2p: {
      read: status('read'),
      write: status('write'),
      nvlink: status('nvlink'),
      atomics: status('atomics'),
      pci: status('pci'),
    },
  };
}

const peersOf = (paths: readonly PeerPath[][]): Peers =>
  new Map(paths.map((value, index) => [index, { readAtMs: nowMs - 20, answer: { value } }]));

/** The lines of the answer of these nodes. */
function ask(
  nodes: Readonly<Record<string, readonly GpuState[]>>,
  given: object = {},
  peers: Peers = new Map(),
) {
  const answers = Object.entries(nodes).map(([node, gpus]) => {
    const context = { ...contextOf(snapshot(gpus)), peers };
    const value = topology.answer(parseArguments(topology.input, {}), context);
    return { node, value: topology.output.parse(JSON.parse(JSON.stringify(value))) };
  });
  const { text } = present(topology, parseArguments(fleetInput(topology), given), answers);
  return text.split('\n');
}

test('nodes that are connected alike are one line', () => {
  const [head, ...rows] = ask({ 'gpu-1': [gpu(0), gpu(1)], 'gpu-2': [gpu(0), gpu(1)] });

  expect(head).toBe(
    '4 GPUs on 2 nodes: none in trouble; ways to others not known of 4. Links read at most 31 s ago.',
  );
  expect(rows).toContain(
    'gpu-[1-2] each (2 nodes): 2 × NVIDIA H100 80GB HBM3, 18 of 18 NVLinks up (version 4, 26.6 GB/s each, to switches), ways to other GPUs not known: the driver has not answered',
  );
});

test('links that are down, that are slower than those of equal GPUs and that count errors come first', () => {
  const [head, ...rows] = ask({
    sick: [
      gpu(0, { nvlinks: [link(0, { active: false }), link(1, { errors: { replays: 7 } }), link(2)] }),
      gpu(1, { nvlinks: links(3).map((each) => ({ ...each, speedMegabytesPerSecond: 13_281 })) }),
    ],
    well: [gpu(0, { nvlinks: links(3) })],
  });

  expect(head).toContain('2 in trouble');
  expect(rows.slice(0, 2)).toEqual([
    'sick GPU 0 (NVIDIA H100 80GB HBM3): down: 0; link 1 replays 7',
    'sick GPU 1 (NVIDIA H100 80GB HBM3): slower than their equals: 0, 1, 2',
  ]);
});

// Every Hopper link has a rate of raw bit errors that its forward error correction mends.
test('what error correction mends is no trouble', () => {
  const nvlinks = [link(0, { errors: { symbolBer: 1e-7, effectiveBer: 1e-15, symbol: 123 } })];

  expect(ask({ node: [gpu(0, { nvlinks })] })[0]).toContain('none in trouble');
});

test('what is left after error correction is one', () => {
  const nvlinks = [link(0, { errors: { effectiveBer: 3e-11 } })];

  const [head, row] = ask({ node: [gpu(0, { nvlinks })] });

  expect(head).toContain('1 in trouble');
  expect(row).toContain('link 0 effectiveBer 3e-11');
});

const down = (count: number) => links(count).map((each) => ({ ...each, active: false }));
const noFabric = { missing: 'notSupported' } as const;

test('where no link is up this is said, once', () => {
  expect(ask({ node: [gpu(0, { nvlinks: down(18) })] })).toContain(
    'node GPU 0 (NVIDIA H100 80GB HBM3): none of its NVLinks is up',
  );
});

// An A100 PCIe has 12 links that are inactive until a bridge joins two boards.
test('PCIe boards without an NVLink bridge are not in trouble for it', () => {
  const board = { name: 'NVIDIA A100 80GB PCIe', nvlinks: down(12), fabric: noFabric };

  expect(
    ask({ node: [gpu(0, board), gpu(1, board)] }, {}, peersOf([[path(1, 'PHB')], [path(0, 'PHB')]])),
  ).toEqual([
    '2 GPUs on 1 node: none in trouble. Links read at most 31 s ago.',
    'node: 2 × NVIDIA A100 80GB PCIe, 0 of 12 NVLinks up, as without an NVLink bridge',
  ]);
});

test('a PCIe board that has lost the bridge of its equals is in trouble, and so is an SXM board', () => {
  const board = { name: 'NVIDIA A100 80GB PCIe', fabric: noFabric };
  const sxm = { name: 'NVIDIA A100-SXM4-80GB', nvlinks: down(12), fabric: noFabric };

  const [head, ...rows] = ask({
    node: [gpu(0, { ...board, nvlinks: down(12) }), gpu(1, { ...board, nvlinks: links(12) }), gpu(2, sxm)],
  });

  expect(head).toContain('2 in trouble');
  expect(rows.slice(0, 2)).toEqual([
    'node GPU 0 (NVIDIA A100 80GB PCIe): none of its NVLinks is up',
    'node GPU 2 (NVIDIA A100-SXM4-80GB): none of its NVLinks is up',
  ]);
});

test('a GPU that cannot read the memory of another, as its equals can, is a trouble', () => {
  const peers = peersOf([[path(1, 'SYS', { read: 'chipsetNotSupported' })], [path(0, 'SYS')]]);

  expect(ask({ node: [gpu(0), gpu(1)] }, {}, peers)).toContain(
    'node GPU 0 (NVIDIA H100 80GB HBM3): cannot read the memory of GPU 1 (chipsetNotSupported), as its equals can',
  );
});

test('where no GPU like it can, peer-to-peer is not there, which is no trouble', () => {
  const none = { read: 'chipsetNotSupported' };
  const peers = peersOf([[path(1, 'PHB', none)], [path(0, 'PHB', none)]]);

  const [head, row] = ask({ node: [gpu(0), gpu(1)] }, {}, peers);

  expect(head).toContain('none in trouble');
  expect(row).toContain('reads the memory of 0 of 1 others (else chipsetNotSupported)');
});

test('boards without NVLink are not in trouble for it', () => {
  const [head, row] = ask({ node: [gpu(0, { nvlinks: { missing: 'notSupported' } })] });

  expect(head).toContain('none in trouble');
  expect(row).toBe('node: 1 × NVIDIA H100 80GB HBM3, no NVLink (notSupported)');
});

// As nvidia-smi topo -m has it: NV# by a switch or directly, else the nearest common ancestor.
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

  const answer = ask({ node: gpus }, { detail: 'full' }, peers);

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

  const text = ask({ node: [gpu(0, { nvlinks }), gpu(1)] }, { detail: 'full' }).join('\n');

  expect(text).toContain('links 0 up 0000:c1:00.0, 1 DOWN, 2 ? 0000:c1:00.0');
  expect(text).toContain('PCI 0000:0a:00.0, PCIe gen 5 of 5, 16 of 16 lanes');
  expect(text).toContain('memory is NUMA node 2, near NUMA node 0, near CPUs 0-47,96-143');
  expect(text).toContain('ways to other GPUs not known: the driver has not answered');
});

test('a GPU that cannot be read any more is said to be so', () => {
  expect(ask({ node: [gpu(0, {}, { trouble: 'lost' })] }).join('\n')).toMatch(/node GPU 0 .*: lost/i);
});

test('links of which the driver tells nothing are not as good as those that are up', () => {
  const text = ask({
    node: [
      gpu(0, { nvlinks: links(3) }),
      gpu(1, {
        nvlinks: [link(0), link(1), link(2, { active: null, missing: { active: 'nvmlReturn999' } })],
      }),
      gpu(2, { nvlinks: links(2) }),
      gpu(3, { nvlinks: { missing: 'nvmlReturn999' } }),
      gpu(4, { name: 'NVIDIA L4', nvlinks: { missing: 'notSupported' } }),
    ],
  });

  expect(text.slice(0, 4)).toEqual([
    expect.stringContaining('3 in trouble'),
    'node GPU 1 (NVIDIA H100 80GB HBM3): state not told: 2',
    'node GPU 2 (NVIDIA H100 80GB HBM3): 2 NVLinks, where its equals have 3',
    'node GPU 3 (NVIDIA H100 80GB HBM3): NVLinks not known (nvmlReturn999)',
  ]);
  expect(text.join('\n')).not.toContain('no NVLink (nvmlReturn999)');
  expect(text.join('\n')).toContain('no NVLink (notSupported)');
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

  const [head, row] = ask(node, {}, peers);
  const full = ask(node, { detail: 'full' }, peers).join('\n');

  expect(head).toContain('none in trouble; ways to others not known of 1.');
  expect(row).toContain(
    'ways to 1 of 1 other GPUs not known: commonAncestor (nvmlReturn999), read (noPermission)',
  );
  expect(full).toContain('read write nvlink atomics (noPermission), pci (notSupported)');
});

test('an answer that is missing as a whole has its reason, and a GPU that is alone needs none', () => {
  const peers: Peers = new Map([[0, { readAtMs: nowMs, answer: { missing: 'noPermission' } }]]);

  expect(ask({ node: [gpu(0), gpu(1)] }, {}, peers)[1]).toContain('other GPUs not known: noPermission');
  expect(ask({ node: [gpu(0)] }).join('\n')).not.toContain('not known');
});
