import { z } from 'zod';

import { map, orNull, reasons } from '../core/reading.ts';
import { answerOfGpu, type GpuState, unanswered } from '../core/snapshot.ts';
import { gpuRowOf } from './gpu-row.ts';
import { identityShape, linkShape, modeShape, nameShape, pcieShape } from './gpu-shape.ts';
import { after, fabricText, pcieTexts, troubleText } from './gpu-text.ts';
import { fastestOf, linksText, linkTroubles, noneUp, troublesText } from './link-text.ts';
import { missingText } from './missing-text.ts';
import type { NodeContext } from './tool.ts';
import { livesOnNvlink, unknownLinksText } from './topology-equals.ts';
import { allWays, p2pText, untoldWaysText } from './topology-matrix.ts';

const { numaNode, numaAffinity, cpuAffinity } = identityShape;
const { fabric } = modeShape;
const gpuRow = gpuRowOf({
  ...nameShape,
  ...linkShape,
  ...pcieShape,
  numaNode,
  numaAffinity,
  cpuAffinity,
  fabric,
});

/** An agent of an older version gives no reasons here. */
const missing = z.record(z.string(), z.string()).default({});
const peer = z.object({
  index: z.int(),
  commonAncestor: z.string().nullable(),
  p2p: z.record(z.string(), z.string().nullable()),
  missing,
});
/** How one GPU is connected. */
export const gpuTopology = z.object({
  gpu: gpuRow.schema,
  /** Null while the driver has not answered. */
  peers: z.array(peer).nullable(),
  peersAgeMs: z.number().nullish(),
  missing,
});
export type GpuTopologyRow = z.output<typeof gpuTopology>;

export function topologyOf(state: GpuState, { nowMs, peers, snapshot }: NodeContext): GpuTopologyRow {
  const none = snapshot.gpus.length === 1 ? { value: [] } : undefined;
  const asked = answerOfGpu(peers, state);
  const answer = asked?.answer ?? none ?? unanswered(state);
  const known = map(answer, (list) =>
    list.map(({ index, commonAncestor, p2p }) => ({
      index,
      commonAncestor: orNull(commonAncestor),
      p2p: Object.fromEntries(Object.entries(p2p).map(([name, status]) => [name, orNull(status)])),
      missing: reasons({ commonAncestor, ...p2p }),
    })),
  );
  return {
    gpu: gpuRow.of(state, nowMs),
    peers: orNull(known),
    peersAgeMs: asked ? Math.round(nowMs - asked.readAtMs) : null,
    missing: reasons({ peers: known }),
  };
}

export function linksOrNone(gpu: GpuTopologyRow['gpu']): string {
  if (!gpu.nvlinks) return unknownLinksText(gpu) ?? `no NVLink (${gpu.missing['nvlinks']})`;
  const unused = noneUp(gpu.nvlinks) && !livesOnNvlink(gpu);
  return `${linksText(gpu.nvlinks)}${unused ? ', as without an NVLink bridge' : ''}`;
}

export function gpuText(row: GpuTopologyRow): string {
  const { gpu } = row;
  const { nvlinks, numaAffinity: numa } = gpu;
  const each = (nvlinks ?? []).map(
    ({ link, active, remotePciAddress: remote }) =>
      `${link} ${active === null ? '?' : active ? 'up' : 'DOWN'}${remote ? ` ${remote}` : ''}`,
  );
  const parts = [
    troubleText(gpu),
    gpu.name,
    gpu.uuid,
    gpu.pciAddress && `PCI ${gpu.pciAddress}`,
    after('PCIe', pcieTexts(gpu).filter(Boolean).join(', ') || null),
    nvlinks && linksText(nvlinks),
    nvlinks && troublesText(linkTroubles(nvlinks, fastestOf(nvlinks))),
    after('links', each.join(', ') || null),
    gpu.fabric && fabricText(gpu.fabric),
    after('memory is NUMA node', gpu.numaNode),
    numa && `near NUMA node ${numa.join('+') || 'none'}`,
    after('near CPUs', gpu.cpuAffinity),
    p2pText(row),
    untoldWaysText(row, allWays),
    missingText(gpu.missing),
  ];
  return parts.filter(Boolean).join(', ');
}
