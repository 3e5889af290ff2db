import { expect, test } from 'vitest';

import { gpu, nowMs } from '../support/gpus.ts';
import { askTopology, link, links, path, peersOf } from '../support/topologies.ts';

test('nodes that are connected alike are one line', () => {
  const [head, ...rows] = askTopology({ 'gpu-1': [gpu(0), gpu(1)], 'gpu-2': [gpu(0), gpu(1)] });

  expect(head).toBe(
    '4 GPUs on 2 nodes: none in trouble; ways to others not known of 4. Links read at most 31 s ago.',
  );
  expect(rows).toContain(
    'gpu-[1-2] each (2 nodes): 2 × NVIDIA H100 80GB HBM3, 18 of 18 NVLinks up (version 4, 26.6 GB/s each, to switches), ways to other GPUs not known: the driver has not answered',
  );
});

test('links that are down, that are slower than those of equal GPUs and that count errors come first', () => {
  const [head, ...rows] = askTopology({
    sick: [
      gpu(0, { nvlinks: [link(0, { active: false }), link(1, { errors: { replays: 7 } }), link(2)] }),
      gpu(1, { nvlinks: links(3).map((each) => ({ ...each, speedMegabytesPerSecond: 13_281 })) }),
    ],
    well: [gpu(0, { nvlinks: links(3) })],
  });

  expect(head).toContain('2 in trouble');
  expect(rows.slice(0, 2)).toEqual([
    'sick GPU 0 (NVIDIA H100 80GB HBM3): down: 0; errors of link 1: replays 7',
    'sick GPU 1 (NVIDIA H100 80GB HBM3): slower than their equals: 0, 1, 2',
  ]);
});

// Every Hopper link has a rate of raw bit errors that its forward error correction mends.
test('what error correction mends is no trouble', () => {
  const nvlinks = [link(0, { errors: { symbolBer: 1e-7, effectiveBer: 1e-15, symbol: 123 } })];

  expect(askTopology({ node: [gpu(0, { nvlinks })] })[0]).toContain('none in trouble');
});

test('what is left after error correction is one', () => {
  const nvlinks = [link(0, { errors: { effectiveBer: 3e-11 } })];

  const [head, row] = askTopology({ node: [gpu(0, { nvlinks })] });

  expect(head).toContain('1 in trouble');
  expect(row).toContain('errors of link 0: effectiveBer 3e-11');
});

const down = (count: number) => links(count).map((each) => ({ ...each, active: false }));
const noFabric = { missing: 'notSupported' } as const;

test('where no link is up this is said, once', () => {
  expect(askTopology({ node: [gpu(0, { nvlinks: down(18) })] })).toContain(
    'node GPU 0 (NVIDIA H100 80GB HBM3): none of its NVLinks is up',
  );
});

// An A100 PCIe has 12 links that are inactive until a bridge joins two boards.
test('PCIe boards without an NVLink bridge are not in trouble for it', () => {
  const board = { name: 'NVIDIA A100 80GB PCIe', nvlinks: down(12), fabric: noFabric };

  expect(
    askTopology({ node: [gpu(0, board), gpu(1, board)] }, {}, peersOf([[path(1, 'PHB')], [path(0, 'PHB')]])),
  ).toEqual([
    '2 GPUs on 1 node: none in trouble. Links read at most 31 s ago.',
    'node: 2 × NVIDIA A100 80GB PCIe, 0 of 12 NVLinks up, as without an NVLink bridge',
  ]);
});

test('ways to other GPUs that the driver was asked for a while ago are told with their age', () => {
  const peers = peersOf([[path(1, 'PHB')], [path(0, 'PHB')]]);
  const old = new Map([...peers].map(([index, one]) => [index, { ...one, readAtMs: nowMs - 25_000 }]));

  const [head] = askTopology({ node: [gpu(0), gpu(1)] }, {}, old);

  expect(head).toMatch(/ Links read at most 31 s ago\. Ways to other GPUs asked at most 25 s ago\.$/);
});

test('a PCIe board that has lost the bridge of its equals is in trouble, and so is an SXM board', () => {
  const board = { name: 'NVIDIA A100 80GB PCIe', fabric: noFabric };
  const sxm = { name: 'NVIDIA A100-SXM4-80GB', nvlinks: down(12), fabric: noFabric };

  const [head, ...rows] = askTopology({
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

  expect(askTopology({ node: [gpu(0), gpu(1)] }, {}, peers)).toContain(
    'node GPU 0 (NVIDIA H100 80GB HBM3): cannot read the memory of GPU 1 (chipsetNotSupported), as its equals can',
  );
});

test('where no GPU like it can, peer-to-peer is not there, which is no trouble', () => {
  const none = { read: 'chipsetNotSupported' };
  const peers = peersOf([[path(1, 'PHB', none)], [path(0, 'PHB', none)]]);

  const [head, row] = askTopology({ node: [gpu(0), gpu(1)] }, {}, peers);

  expect(head).toContain('none in trouble');
  expect(row).toContain('reads the memory of 0 of 1 others (else chipsetNotSupported)');
});

test('boards without NVLink are not in trouble for it', () => {
  const [head, row] = askTopology({ node: [gpu(0, { nvlinks: { missing: 'notSupported' } })] });

  expect(head).toContain('none in trouble');
  expect(row).toBe('node: 1 × NVIDIA H100 80GB HBM3, no NVLink (notSupported)');
});

// As nvidia-smi topo -m has it: NV# by a switch or directly, else the nearest common ancestor.
test('links of which the driver tells nothing are not as good as those that are up', () => {
  const text = askTopology({
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

test('the full line of a GPU says what of peer-to-peer it can do with which others', () => {
  const refused = { write: 'disabledByRegkey', atomics: 'notSupported' };
  const peers = peersOf([
    [path(1, 'PIX', refused), path(2, 'SYS', { ...refused, read: 'chipsetNotSupported' })],
    [path(0, 'PIX'), path(2, 'SYS')],
    [path(0, 'SYS'), path(1, 'SYS')],
  ]);

  const lines = askTopology({ a: [gpu(0), gpu(1), gpu(2)] }, { detail: 'full' }, peers);

  expect(lines.find((line) => line.startsWith('a GPU 0: '))).toContain(
    'peer-to-peer: read ok, of GPU 2 chipsetNotSupported; write disabledByRegkey; nvlink, pci ok; atomics notSupported',
  );
  expect(lines.find((line) => line.startsWith('a GPU 1: '))).toContain(
    'peer-to-peer: read, write, nvlink, atomics, pci ok',
  );
});

test('where links of a GPU differ in speed, its line says which are slower', () => {
  const nvlinks = [link(0), link(1), link(2, { speedMegabytesPerSecond: 13_281 })];

  const [, row] = askTopology({ a: [gpu(0, { nvlinks })] }, { detail: 'full' }).slice(-2);

  expect(row).toContain('26.6 GB/s each, links 2 13.3 GB/s each');
});
