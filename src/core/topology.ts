import type { Reading } from './reading.ts';

/** NVML's nearest common ancestor of two GPUs, from near to far, in the words of nvidia-smi topo -m. */
export const commonAncestors = {
  0: 'internal',
  10: 'PIX',
  20: 'PXB',
  30: 'PHB',
  40: 'NODE',
  50: 'SYS',
} as const;
export type CommonAncestor = (typeof commonAncestors)[keyof typeof commonAncestors] | `unknown${number}`;

/** What one GPU can do with another's memory. */
export const p2pCapabilities = ['read', 'write', 'nvlink', 'atomics', 'pci'] as const;
export type P2pCapability = (typeof p2pCapabilities)[number];

export interface PeerPath {
  /** Of the other GPU. */
  readonly index: number;
  /** Source: nvmlDeviceGetTopologyCommonAncestor. Oracle: nvidia-smi topo -m */
  readonly commonAncestor: Reading<CommonAncestor>;
  /** `ok`, or why not. Source: nvmlDeviceGetP2PStatus. Oracle: nvidia-smi topo -p2p r */
  readonly p2p: Readonly<Record<P2pCapability, Reading<string>>>;
}
