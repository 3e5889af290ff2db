import { fleetInput } from '../../src/bridge/bridge.ts';
import type { NvLink } from '../../src/core/link-readings.ts';
import type { Answers, GpuState } from '../../src/core/snapshot.ts';
import type { CommonAncestor, PeerPath } from '../../src/core/topology.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { topology } from '../../src/tools/topology.ts';
import { contextOf } from './answers.ts';
import { nowMs, snapshot } from './gpus.ts';

export type Peers = Answers['peers'];

/** A link of an H100 that is up. */
export function link(number: number, given: Partial<NvLink> = {}): NvLink {
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

export const links = (count: number) => Array.from({ length: count }, (_, at) => link(at));

export function path(
  index: number,
  commonAncestor: CommonAncestor,
  p2p: Record<string, string> = {},
): PeerPath {
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

export const peersOf = (paths: readonly PeerPath[][]): Peers =>
  new Map(paths.map((value, index) => [index, { readAtMs: nowMs - 20, answer: { value } }]));

/** The lines of the answer of these nodes. */
export function askTopology(
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
