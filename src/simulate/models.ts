/** What one kind of board is. Units are in the names; memory in MiB as nvidia-smi prints it. */
export interface GpuModel {
  readonly productName: string;
  readonly totalMib: number;
  /** Held by driver and firmware. */
  readonly reservedMib: number;
  readonly idleWatts: number;
  /** At full load; the limit in force is the default one. */
  readonly busyWatts: number;
  readonly defaultPowerLimitWatts: number;
  readonly powerLimitRange: { readonly minWatts: number; readonly maxWatts: number };
  readonly idleC: number;
  readonly busyC: number;
  /** How much hotter its memory is; null: the board does not measure that. */
  readonly memoryAboveC: number | null;
  /** null: the board tells its distance to the limit (T.Limit, fields 193-196) and no absolute temperature. */
  readonly thresholdsC: { readonly slowdown: number; readonly shutdown: number } | null;
  readonly idleClockMhz: number;
  readonly maxClockMhz: number;
  /** What power and heat leave of it at full load. */
  readonly busyClockMhz: number;
  readonly idleMemoryClockMhz: number;
  readonly memoryClockMhz: number;
  readonly idlePerformanceState: number;
  /** Bad memory is remapped by row (Ampere and newer), else retired by page. */
  readonly remapsRows: boolean;
  readonly mig: boolean;
  /** Boards of one host sit in these PCI domains in turn. */
  readonly pciDomains: readonly number[];
}

export const modelNames = ['T4', 'A100', 'H100', 'B200', 'GB200'] as const;

export type ModelName = (typeof modelNames)[number];

/**
 * Names, memory, limits, clocks and temperatures are those of `nvidia-smi -q` on real boards, published by their
 * users; full-load figures are typical, not measured.
 */
export const models: Readonly<Record<ModelName, GpuModel>> = {
  // nvidia-smi -q of a Tesla T4: 96/93 C, 60-70 W, P8 with 300/405 MHz when idle, retired pages, no remapped rows.
  T4: {
    productName: 'Tesla T4',
    totalMib: 15_360,
    reservedMib: 393,
    idleWatts: 14,
    busyWatts: 69,
    defaultPowerLimitWatts: 70,
    powerLimitRange: { minWatts: 60, maxWatts: 70 },
    idleC: 38,
    busyC: 74,
    memoryAboveC: null,
    thresholdsC: { slowdown: 93, shutdown: 96 },
    idleClockMhz: 300,
    maxClockMhz: 1590,
    busyClockMhz: 1110,
    idleMemoryClockMhz: 405,
    memoryClockMhz: 5001,
    idlePerformanceState: 8,
    remapsRows: false,
    mig: false,
    pciDomains: [0],
  },
  // nvidia-smi -q of an A100-SXM4-80GB under driver 555.42.02: 92/89 C, 763 MiB reserved, remapped rows.
  A100: {
    productName: 'NVIDIA A100-SXM4-80GB',
    totalMib: 81_920,
    reservedMib: 763,
    idleWatts: 60,
    busyWatts: 392,
    defaultPowerLimitWatts: 400,
    powerLimitRange: { minWatts: 100, maxWatts: 400 },
    idleC: 28,
    busyC: 66,
    memoryAboveC: 5,
    thresholdsC: { slowdown: 89, shutdown: 92 },
    idleClockMhz: 210,
    maxClockMhz: 1410,
    busyClockMhz: 1275,
    idleMemoryClockMhz: 1593,
    memoryClockMhz: 1593,
    idlePerformanceState: 0,
    remapsRows: true,
    mig: true,
    pciDomains: [0],
  },
  // utkuozdemir/nvidia_gpu_exporter@c58c333, capture of an H100 80GB HBM3 under driver 590.48.01. It shows T.Limit
  // 46 C at 41 C, slowdown at -2 and shutdown at -8: 89 and 95 C.
  H100: {
    productName: 'NVIDIA H100 80GB HBM3',
    totalMib: 81_559,
    reservedMib: 479,
    idleWatts: 70,
    busyWatts: 686,
    defaultPowerLimitWatts: 700,
    powerLimitRange: { minWatts: 200, maxWatts: 700 },
    idleC: 33,
    busyC: 71,
    memoryAboveC: 6,
    thresholdsC: { slowdown: 89, shutdown: 95 },
    idleClockMhz: 345,
    maxClockMhz: 1980,
    busyClockMhz: 1755,
    idleMemoryClockMhz: 2619,
    memoryClockMhz: 2619,
    idlePerformanceState: 0,
    remapsRows: true,
    mig: true,
    pciDomains: [0],
  },
  // 183359 MiB, 1000 W and 1965 MHz in nvidia-smi output of many users. Without thresholds: nvml.h announces their
  // removal from nvmlDeviceGetTemperatureThreshold on Ada and later, and the product has to live with both.
  B200: {
    productName: 'NVIDIA B200',
    totalMib: 183_359,
    reservedMib: 725,
    idleWatts: 140,
    busyWatts: 980,
    defaultPowerLimitWatts: 1000,
    powerLimitRange: { minWatts: 200, maxWatts: 1000 },
    idleC: 32,
    busyC: 68,
    memoryAboveC: 4,
    thresholdsC: null,
    idleClockMhz: 120,
    maxClockMhz: 1965,
    busyClockMhz: 1740,
    idleMemoryClockMhz: 3996,
    memoryClockMhz: 3996,
    idlePerformanceState: 0,
    remapsRows: true,
    mig: true,
    pciDomains: [0],
  },
  // 189471 MiB, 1200 W, 2062 MHz and the four PCI domains in nvidia-smi output of users of GB200 trays.
  GB200: {
    productName: 'NVIDIA GB200',
    totalMib: 189_471,
    reservedMib: 725,
    idleWatts: 170,
    busyWatts: 1170,
    defaultPowerLimitWatts: 1200,
    powerLimitRange: { minWatts: 200, maxWatts: 1200 },
    idleC: 30,
    busyC: 62,
    memoryAboveC: 4,
    thresholdsC: null,
    idleClockMhz: 120,
    maxClockMhz: 2062,
    busyClockMhz: 1852,
    idleMemoryClockMhz: 3996,
    memoryClockMhz: 3996,
    idlePerformanceState: 0,
    remapsRows: true,
    mig: true,
    pciDomains: [0x0008, 0x0009, 0x0018, 0x0019],
  },
};
