import type { Reading } from './reading.ts';

/** What a GPU is doing. */
export interface LoadReadings {
  /** notSupported where GPU and host share memory (GB10). Source: nvmlDeviceGetMemoryInfo_v2, before R510 nvmlDeviceGetMemoryInfo. Oracle: --query-gpu=memory.total,memory.reserved,memory.used,memory.free */
  readonly memory: Reading<Memory>;
  /** What a PCIe peer or the host can map. Source: nvmlDeviceGetBAR1MemoryInfo. Oracle: nvidia-smi -q -d MEMORY, "BAR1 Memory Usage" */
  readonly bar1Memory: Reading<Bar1Memory>;
  /** Of the last 1/6 to 1 s; notSupported under MIG. Source: nvmlDeviceGetUtilizationRates. Oracle: --query-gpu=utilization.gpu,utilization.memory */
  readonly utilization: Reading<Utilization>;
  /** Of the video encoder (NVENC). Source: nvmlDeviceGetEncoderUtilization. Oracle: --query-gpu=utilization.encoder */
  readonly encoderPercent: Reading<number>;
  /** Of the video decoder (NVDEC). Source: nvmlDeviceGetDecoderUtilization. Oracle: --query-gpu=utilization.decoder */
  readonly decoderPercent: Reading<number>;
  /** Of the JPEG decoder. Source: nvmlDeviceGetJpgUtilization. Oracle: --query-gpu=utilization.jpeg */
  readonly jpegPercent: Reading<number>;
  /** Of the optical flow accelerator. Source: nvmlDeviceGetOfaUtilization. Oracle: --query-gpu=utilization.ofa */
  readonly ofaPercent: Reading<number>;
  /** 0 (fastest) … 15. Source: nvmlDeviceGetPerformanceState. Oracle: --query-gpu=pstate */
  readonly performanceState: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(GRAPHICS). Oracle: --query-gpu=clocks.current.graphics */
  readonly graphicsClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(SM). Oracle: --query-gpu=clocks.current.sm */
  readonly smClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(MEM). Oracle: --query-gpu=clocks.current.memory */
  readonly memoryClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(VIDEO). Oracle: --query-gpu=clocks.current.video */
  readonly videoClockMhz: Reading<number>;
  /** The highest that the board can be set to. Source: nvmlDeviceGetMaxClockInfo(GRAPHICS). Oracle: --query-gpu=clocks.max.graphics */
  readonly maxGraphicsClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetMaxClockInfo(SM). Oracle: --query-gpu=clocks.max.sm */
  readonly maxSmClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetMaxClockInfo(MEM). Oracle: --query-gpu=clocks.max.memory */
  readonly maxMemoryClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetMaxClockInfo(VIDEO). Oracle: nvidia-smi -q -d CLOCK, "Max Clocks", "Video" */
  readonly maxVideoClockMhz: Reading<number>;
  /** An idle GPU goes down to 1. Source: nvmlDeviceGetCurrPcieLinkGeneration. Oracle: --query-gpu=pcie.link.gen.gpucurrent */
  readonly pcieGeneration: Reading<number>;
  /** Of board and slot together. Source: nvmlDeviceGetMaxPcieLinkGeneration. Oracle: --query-gpu=pcie.link.gen.max */
  readonly maxPcieGeneration: Reading<number>;
  /** In lanes. Source: nvmlDeviceGetCurrPcieLinkWidth. Oracle: --query-gpu=pcie.link.width.current */
  readonly pcieWidth: Reading<number>;
  /** In lanes, of board and slot together. Source: nvmlDeviceGetMaxPcieLinkWidth. Oracle: --query-gpu=pcie.link.width.max */
  readonly maxPcieWidth: Reading<number>;
  /** Counter of what the GPU sent; it may wrap. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_COUNT_TX_BYTES (197). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [197]) */
  readonly pcieTxBytes: Reading<number>;
  /** Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_COUNT_RX_BYTES (198). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [198]) */
  readonly pcieRxBytes: Reading<number>;
  /** Counter of user data over all NVLinks. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX (138), scope all links, in KiB; of NVLink 5 the sum of NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES (202) of its links. Oracle: nvidia-smi nvlink -gt d */
  readonly nvlinkTxBytes: Reading<number>;
  /** Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX (139), scope all links; of NVLink 5 NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES (204). Oracle: nvidia-smi nvlink -gt d */
  readonly nvlinkRxBytes: Reading<number>;
}

export const loadSymbols: Readonly<Record<keyof LoadReadings, string>> = {
  memory: 'nvmlDeviceGetMemoryInfo_v2',
  bar1Memory: 'nvmlDeviceGetBAR1MemoryInfo',
  utilization: 'nvmlDeviceGetUtilizationRates',
  encoderPercent: 'nvmlDeviceGetEncoderUtilization',
  decoderPercent: 'nvmlDeviceGetDecoderUtilization',
  jpegPercent: 'nvmlDeviceGetJpgUtilization',
  ofaPercent: 'nvmlDeviceGetOfaUtilization',
  performanceState: 'nvmlDeviceGetPerformanceState',
  graphicsClockMhz: 'nvmlDeviceGetClockInfo',
  smClockMhz: 'nvmlDeviceGetClockInfo',
  memoryClockMhz: 'nvmlDeviceGetClockInfo',
  videoClockMhz: 'nvmlDeviceGetClockInfo',
  maxGraphicsClockMhz: 'nvmlDeviceGetMaxClockInfo',
  maxSmClockMhz: 'nvmlDeviceGetMaxClockInfo',
  maxMemoryClockMhz: 'nvmlDeviceGetMaxClockInfo',
  maxVideoClockMhz: 'nvmlDeviceGetMaxClockInfo',
  pcieGeneration: 'nvmlDeviceGetCurrPcieLinkGeneration',
  maxPcieGeneration: 'nvmlDeviceGetMaxPcieLinkGeneration',
  pcieWidth: 'nvmlDeviceGetCurrPcieLinkWidth',
  maxPcieWidth: 'nvmlDeviceGetMaxPcieLinkWidth',
  pcieTxBytes: 'nvmlDeviceGetFieldValues',
  pcieRxBytes: 'nvmlDeviceGetFieldValues',
  nvlinkTxBytes: 'nvmlDeviceGetFieldValues',
  nvlinkRxBytes: 'nvmlDeviceGetFieldValues',
};

export interface Memory {
  readonly totalBytes: number;
  /** Held by the driver and firmware; not part of `usedBytes`. Null before R510: there it is part of them, and nobody says how much. */
  readonly reservedBytes: number | null;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

export interface Bar1Memory {
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

/** Share of the time in which a kernel ran, and in which memory was read or written. */
export interface Utilization {
  readonly gpuPercent: number;
  readonly memoryPercent: number;
}
