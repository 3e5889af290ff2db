import type { Missing, Reading } from './reading.ts';

/** How a GPU is connected to others by NVLink. */
export interface LinkReadings {
  /** One entry for each NVLink of the board, by number; notSupported where it has none. Source: nvmlDeviceGetNvLinkState, nvmlDeviceGetFieldValues with scope = link. Oracle: nvidia-smi nvlink --status, -e */
  readonly nvlinks: Reading<readonly NvLink[]>;
}

export const linkSymbols: Readonly<Record<keyof LinkReadings, string>> = {
  nvlinks: 'nvmlDeviceGetNvLinkState',
};

/** Null: the driver does not tell it; why of an active link stands in `missing`. One that is not active has little to tell. */
export interface NvLink {
  readonly link: number;
  readonly active: boolean | null;
  /** Of the protocol: 4 on Hopper. Source: NVML_FI_DEV_NVLINK_GET_VERSION (166) */
  readonly version: number | null;
  /** Per direction. Source: NVML_FI_DEV_NVLINK_GET_SPEED (164), in MB/s */
  readonly speedMegabytesPerSecond: number | null;
  /** Source: nvmlDeviceGetNvLinkRemoteDeviceType */
  readonly remoteType: 'gpu' | 'npu' | 'switch' | `unknown${number}` | null;
  /** `0000:3b:00.0`. Source: nvmlDeviceGetNvLinkRemotePciInfo_v2 */
  readonly remotePciAddress: string | null;
  /** Counters of errors by name, and bit error rates, as far as this generation has them. */
  readonly errors: Readonly<Record<string, number>>;
  /** By field; `errors` where a counter could not be read, or where there is none at all. */
  readonly missing: Readonly<Record<string, Missing>>;
}
