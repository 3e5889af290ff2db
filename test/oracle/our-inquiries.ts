import { p2pCapabilities } from '../../src/core/topology.ts';
import type { GpmRow } from '../../src/tools/gpm-row.ts';
import type { GpuProcessesRow } from '../../src/tools/processes-gpu.ts';
import type { GpuTopologyRow } from '../../src/tools/topology-gpu.ts';
import { connection } from '../../src/tools/topology-matrix.ts';
import { processName } from './inquiry-checks.ts';

/** As an inquiry is compared; null: it is not told. */
type Ours = Readonly<Record<string, unknown>> | null;

/** What each process uses, by its name. */
export function processesOf({ processes }: GpuProcessesRow): Ours {
  const listed = processes?.filter(({ left }) => !left);
  const entries = listed?.map(({ pid, kinds, usedBytes, gpuInstanceId, computeInstanceId }) => {
    const instances = [gpuInstanceId, computeInstanceId].filter((id) => id !== null);
    return [processName(pid, kinds, instances), usedBytes];
  });
  return entries ? Object.fromEntries(entries) : null;
}

/** By what is told of the way, by the PCI address of the other GPU; what is not told of it is left out. */
export function peersOf(row: GpuTopologyRow, all: readonly GpuTopologyRow[]): Ours {
  if (row.peers === null) return null;
  const ways = row.peers.map((peer) => {
    const to = all.find(({ gpu }) => gpu.index === peer.index);
    return { ...peer, address: to?.gpu.pciAddress ?? `GPU ${peer.index}`, way: to && connection(row, to) };
  });
  const told = (of: (peer: (typeof ways)[number]) => string | null | undefined) =>
    Object.fromEntries(
      ways.flatMap((peer) => {
        const word = of(peer) ?? '?';
        return word === '?' ? [] : [[peer.address, word]];
      }),
    );
  return {
    way: told(({ way }) => way),
    commonAncestor: told(({ commonAncestor }) => commonAncestor),
    ...Object.fromEntries(p2pCapabilities.map((name) => [name, told(({ p2p }) => p2p[name])])),
  };
}

export function gpmOf(row: GpmRow): Ours {
  return row.missing['gpm'] === undefined ? row : null;
}
