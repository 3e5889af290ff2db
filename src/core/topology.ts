import type { Reading } from './reading.ts';

/** How one GPU is connected: to others of its node, to switches, to processors. */
export interface GpuTopology {
  /** One entry for each NVLink that the GPU has, by number; notSupported where it has none. */
  readonly nvlinks: Reading<readonly NvLink[]>;
  /** One entry for each other GPU of the node, by index. */
  readonly peers: readonly PeerPath[];
  /** NUMA nodes of the host that are nearest. Source: nvmlDeviceGetMemoryAffinity. Oracle: nvidia-smi topo -m, "NUMA Affinity" */
  readonly numaNodes: Reading<readonly number[]>;
  /** `0-31,64-95`. Source: nvmlDeviceGetCpuAffinity. Oracle: nvidia-smi topo -m, "CPU Affinity" */
  readonly cpuAffinity: Reading<string>;
}

/** One NVLink of a GPU. Oracle: nvidia-smi nvlink --status, --remotelinkinfo, -e */
export interface NvLink {
  readonly link: number;
  /** Source: nvmlDeviceGetNvLinkState */
  readonly active: Reading<boolean>;
  /** `4` for NVLink 4. Source: nvmlDeviceGetNvLinkVersion */
  readonly version: Reading<number>;
  /** Megabytes per second and direction. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_NVLINK_GET_SPEED (164), scope = link */
  readonly speedMbps: Reading<number>;
  /** Source: nvmlDeviceGetNvLinkRemoteDeviceType */
  readonly remoteType: Reading<'gpu' | 'npu' | 'switch' | `unknown${number}`>;
  /** `0000:3b:00.0`, normalised. Source: nvmlDeviceGetNvLinkRemotePciInfo_v2 */
  readonly remotePciAddress: Reading<string>;
  /** By the name of the counter, as far as this NVLink has it. Source: nvmlDeviceGetNvLinkErrorCounter up to NVLink 4, nvmlDeviceGetFieldValues from NVLink 5 on */
  readonly errors: Readonly<Record<string, Reading<number>>>;
}

/** NVML's level of the nearest common ancestor, from near to far. */
export const commonAncestors = ['internal', 'single', 'multiple', 'hostbridge', 'node', 'system'] as const;
export type CommonAncestor = (typeof commonAncestors)[number] | `unknown${number}`;

export interface PeerPath {
  /** Of the other GPU. */
  readonly index: number;
  /** Source: nvmlDeviceGetTopologyCommonAncestor. Oracle: nvidia-smi topo -m */
  readonly commonAncestor: Reading<CommonAncestor>;
  /** By capability (read, write, nvlink, atomics, pci): ok, or why not. Source: nvmlDeviceGetP2PStatus. Oracle: nvidia-smi topo -p2p r */
  readonly p2p: Readonly<Record<string, Reading<string>>>;
}
