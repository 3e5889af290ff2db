import { map, type Reading } from '../../core/reading.ts';
import {
  type CommonAncestor,
  commonAncestors,
  type P2pCapability,
  type PeerPath,
  p2pCapabilities,
} from '../../core/topology.ts';
import type { Device, Nvml } from './abi.ts';
import { readNumber } from './read.ts';

/** nvmlGpuP2PStatus_t */
const statuses = [
  'ok',
  'chipsetNotSupported',
  'gpuNotSupported',
  'iohTopologyNotSupported',
  'disabledByRegkey',
  'notSupported',
  'unknown',
];

/** The way from one GPU to each other one. */
export function nvmlPeers(
  nvml: Nvml,
  device: Device,
  others: readonly { readonly index: number; readonly device: Device }[],
): PeerPath[] {
  return others.map(({ index, device: other }) => ({
    index,
    commonAncestor: map(
      readNumber((out) => nvml.commonAncestor(device, other, out)),
      ancestor,
    ),
    p2p: Object.fromEntries(
      p2pCapabilities.map((name, capability) => [
        name,
        map(
          readNumber((out) => nvml.p2pStatus(device, other, capability, out)),
          (status) => statuses[status] ?? `unknown${status}`,
        ),
      ]),
    ) as Record<P2pCapability, Reading<string>>,
  }));
}

function ancestor(level: number): CommonAncestor {
  const names: Readonly<Record<number, CommonAncestor>> = commonAncestors;
  return names[level] ?? `unknown${level}`;
}
