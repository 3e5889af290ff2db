import type { GpuTopologyRow } from './topology.ts';

/** `cannot reach the memory of GPU 3 (read chipsetNotSupported)`; null where all can be reached, or nothing is known. */
export function peersTroubles({ peers }: Pick<GpuTopologyRow, 'peers'>): string | null {
  const unreached = (peers ?? []).filter(({ p2p }) => p2p['read'] !== 'ok' && p2p['read'] !== null);
  const byReason = new Map<string, number[]>();
  for (const { index, p2p } of unreached) {
    const reason = p2p['read'] ?? '';
    byReason.set(reason, [...(byReason.get(reason) ?? []), index]);
  }
  const parts = [...byReason].map(([reason, indices]) => `GPU ${indices.join(', ')} (${reason})`);
  return parts.length > 0 ? `cannot read the memory of ${parts.join(' and ')}` : null;
}

/** As nvidia-smi topo -m prints it: NV# where NVLinks connect two GPUs, else their nearest common ancestor. */
export function matrixText(gpus: readonly GpuTopologyRow[]): string {
  const names = gpus.map(({ gpu }) => `GPU${gpu.index}`);
  const cells = gpus.map((from) => [
    `GPU${from.gpu.index}`,
    ...gpus.map((to) => (from === to ? 'X' : connection(from, to))),
    `NUMA ${from.gpu.numaAffinity?.join('+') ?? '?'}`,
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

function connection(from: GpuTopologyRow, to: GpuTopologyRow): string {
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
