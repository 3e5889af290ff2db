import { groupBy } from '../core/group-by.ts';
import { p2pCapabilities } from '../core/topology.ts';
import type { GpuTopologyRow } from './topology-gpu.ts';

type Row = Pick<GpuTopologyRow, 'gpu' | 'peers'>;
type Peer = NonNullable<GpuTopologyRow['peers']>[number];

const isUnreached = ({ p2p }: Peer) => p2p['read'] !== 'ok' && p2p['read'] !== null;

/** Of which models two GPUs are, and how far apart. */
function kindOf(from: Row, to: Peer, gpus: readonly Row[]): string {
  const other = gpus.find(({ gpu }) => gpu.index === to.index);
  return JSON.stringify([from.gpu.name, other?.gpu.name, to.commonAncestor]);
}

/** The kinds of pairs of which at least one pair can read each other's memory. */
export function reachedKinds(nodes: readonly (readonly Row[])[]): ReadonlySet<string> {
  const kinds = nodes.flatMap((gpus) =>
    gpus.flatMap((from) =>
      (from.peers ?? []).filter(({ p2p }) => p2p['read'] === 'ok').map((to) => kindOf(from, to, gpus)),
    ),
  );
  return new Set(kinds);
}

/**
 * `cannot read the memory of GPU 3 (chipsetNotSupported), as its equals can`; null where it can, or no pair like it can:
 * many PCIe boards and consumer boards have no peer-to-peer, and that is no trouble.
 */
export function unreachedText(row: Row, gpus: readonly Row[], reached: ReadonlySet<string>): string | null {
  const odd = (row.peers ?? []).filter((to) => isUnreached(to) && reached.has(kindOf(row, to, gpus)));
  const reasons = groupBy(odd, ({ p2p }) => p2p['read']);
  const parts = [...reasons].map(
    ([reason, peers]) => `GPU ${peers.map(({ index }) => index).join(', ')} (${reason})`,
  );
  return parts.length > 0 ? `cannot read the memory of ${parts.join(' and ')}, as its equals can` : null;
}

/** `reads the memory of 3 of 7 others (else chipsetNotSupported)`; null where it can read that of all, or nothing is known. */
export function readableText({ peers }: Pick<Row, 'peers'>): string | null {
  const unreached = (peers ?? []).filter(isUnreached);
  if (!peers || unreached.length === 0) return null;
  const reasons = new Set(unreached.map(({ p2p }) => p2p['read']));
  return `reads the memory of ${peers.length - unreached.length} of ${peers.length} others (else ${[...reasons].join(', ')})`;
}

/** `peer-to-peer: read, nvlink ok; write disabledByRegkey; atomics ok, of GPU 3 notSupported`; null where nothing is known. */
export function p2pText({ peers }: Pick<Row, 'peers'>): string | null {
  const statuses = p2pCapabilities.map((name) => [statusText(name, peers ?? []), name] as const);
  const known = statuses.filter(([status]) => status !== null);
  const alike = [...groupBy(known, ([status]) => status)].map(
    ([status, those]) => `${those.map(([, name]) => name).join(', ')} ${status}`,
  );
  return alike.length > 0 ? `peer-to-peer: ${alike.join('; ')}` : null;
}

/** What holds for most of the others, and which ones are not so. */
function statusText(name: string, peers: readonly Peer[]): string | null {
  const known = peers.filter(({ p2p }) => typeof p2p[name] === 'string');
  const [most, ...odd] = [...groupBy(known, ({ p2p }) => p2p[name] as string)].sort(
    ([, a], [, b]) => b.length - a.length,
  );
  if (!most) return null;
  return [most[0], ...odd.map(([status, those]) => `of GPU ${indexes(those)} ${status}`)].join(', ');
}

function indexes(peers: readonly Peer[]): string {
  return peers.map(({ index }) => index).join(' ');
}

/** What an answer in short needs to know of the way to another GPU; the rest some boards and drivers have not. */
const neededWays = ['commonAncestor', 'read'];
export const allWays = ['commonAncestor', ...p2pCapabilities];

/** `ways to 2 of 7 other GPUs not known: commonAncestor read (noPermission)`; null where all are. */
export function untoldWaysText(
  { peers, missing }: Pick<GpuTopologyRow, 'peers' | 'missing'>,
  ways: readonly string[] = neededWays,
): string | null {
  if (!peers) {
    const reason = missing['peers'] ?? 'notReady';
    return `ways to other GPUs not known: ${reason === 'notReady' ? 'the driver has not answered' : reason}`;
  }
  const untold = peers.map((to) => Object.entries(to.missing).filter(([way]) => ways.includes(way)));
  const concerned = untold.filter((each) => each.length > 0).length;
  if (concerned === 0) return null;
  const byReason = [...groupBy(untold.flat(), ([, reason]) => reason)].map(
    ([reason, those]) => `${[...new Set(those.map(([way]) => way))].join(' ')} (${reason})`,
  );
  return `ways to ${concerned} of ${peers.length} other GPUs not known: ${byReason.join(', ')}`;
}

/** As nvidia-smi topo -m prints it: NV# where NVLinks connect two GPUs, else their nearest common ancestor. */
export function matrixText(gpus: readonly GpuTopologyRow[]): string {
  const names = gpus.map(({ gpu }) => `GPU${gpu.index}`);
  const cells = gpus.map((from) => [
    `GPU${from.gpu.index}`,
    ...gpus.map((to) => (from === to ? 'X' : connection(from, to))),
    `NUMA ${from.gpu.numaAffinity?.join('+') || '?'}`,
  ]);
  const rows = [['', ...names, ''], ...cells];
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(' ')
        .trimEnd(),
    )
    .join('\n');
}

/** `NV18`, `PIX`; `?` where it is not known. */
export function connection(from: GpuTopologyRow, to: GpuTopologyRow): string {
  const path = from.peers?.find(({ index }) => index === to.gpu.index);
  const up = (from.gpu.nvlinks ?? []).filter(({ active }) => active);
  const direct = up.filter(
    ({ remotePciAddress }) => remotePciAddress !== null && remotePciAddress === to.gpu.pciAddress,
  );
  if (direct.length > 0) return `NV${direct.length}`;
  const switched = up.filter(({ remoteType }) => remoteType === 'switch');
  if (switched.length > 0 && path?.p2p['nvlink'] === 'ok') return `NV${switched.length}`;
  return path?.commonAncestor ?? '?';
}
