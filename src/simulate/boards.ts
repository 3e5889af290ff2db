import type { EccLocation } from '../core/errors-readings.ts';
import type { ModelName } from './models.ts';

/** What else is fixed for one kind of board: what it calls itself, and what it has. */
export interface Board {
  readonly brand: string;
  readonly architecture: string;
  readonly computeCapability: string;
  readonly boardPartNumber: string;
  readonly vbiosVersion: string;
  readonly inforomImageVersion: string;
  readonly inforomEccVersion: string;
  /** Sits on a baseboard with others. */
  readonly hasModuleId: boolean;
  /** Tells where in a rack it is. */
  readonly hasPlatform: boolean;
  /** Its memory is a NUMA node of the host. */
  readonly coherentMemory: boolean;
  readonly bar1Mib: number;
  readonly pcieGeneration: number;
  readonly pcieWidth: number;
  readonly maxVideoClockMhz: number;
  /** Degrees below its slowdown threshold at which the margin is 0; null: it tells no margin. */
  readonly marginZeroC: number | null;
  readonly maxTemperatureC: number | null;
  readonly maxMemoryTemperatureC: number | null;
  /** Counts the bytes on PCIe, and the errors. */
  readonly countsPcie: boolean;
  /** Its NVLinks, all of them to switches; null: it has none. */
  readonly nvlink: {
    readonly links: number;
    readonly version: number;
    readonly megabytesPerSecond: number;
  } | null;
  /** Counts the bytes over all NVLinks; NVLink 5 counts by link only. */
  readonly countsNvlink: boolean;
  readonly averagesPower: boolean;
  readonly measuresModulePower: boolean;
  readonly eccLocations: readonly EccLocation['location'][];
  /** Banks that can remap rows; 0: none. */
  readonly remapBanks: number;
  readonly tellsRepairs: boolean;
  readonly hasFabric: boolean;
}

const sxm = {
  brand: 'NVIDIA',
  hasModuleId: true,
  hasPlatform: false,
  coherentMemory: false,
  pcieWidth: 16,
  countsPcie: true,
  measuresModulePower: false,
  nvlink: null,
  eccLocations: ['dram', 'sram'],
} as const;

const hopperAndNewer = {
  ...sxm,
  pcieGeneration: 5,
  marginZeroC: 87,
  averagesPower: true,
  tellsRepairs: true,
  hasFabric: true,
} as const;

/** Names and versions are of published output of nvidia-smi; see models.ts. */
export const boards: Readonly<Record<ModelName, Board>> = {
  T4: {
    ...sxm,
    brand: 'Tesla',
    architecture: 'turing',
    computeCapability: '7.5',
    boardPartNumber: '900-2G183-0000-001',
    vbiosVersion: '90.04.96.00.02',
    inforomImageVersion: 'G183.0200.00.02',
    inforomEccVersion: '5.0',
    hasModuleId: false,
    bar1Mib: 256,
    pcieGeneration: 3,
    maxVideoClockMhz: 1470,
    marginZeroC: null,
    maxTemperatureC: 85,
    maxMemoryTemperatureC: null,
    countsPcie: false,
    countsNvlink: false,
    averagesPower: false,
    eccLocations: ['l2Cache', 'dram', 'registerFile'],
    remapBanks: 0,
    tellsRepairs: false,
    hasFabric: false,
  },
  A100: {
    ...sxm,
    architecture: 'ampere',
    computeCapability: '8.0',
    boardPartNumber: '692-2G506-0212-002',
    vbiosVersion: '92.00.45.00.03',
    inforomImageVersion: 'G506.0212.00.02',
    inforomEccVersion: '6.16',
    bar1Mib: 131_072,
    pcieGeneration: 4,
    maxVideoClockMhz: 1290,
    marginZeroC: null,
    maxTemperatureC: 85,
    maxMemoryTemperatureC: 95,
    nvlink: { links: 12, version: 3, megabytesPerSecond: 25_781 },
    countsNvlink: true,
    averagesPower: false,
    remapBanks: 640,
    tellsRepairs: false,
    hasFabric: false,
  },
  H100: {
    ...hopperAndNewer,
    architecture: 'hopper',
    computeCapability: '9.0',
    boardPartNumber: '692-2G520-0200-000',
    vbiosVersion: '96.00.A5.00.01',
    inforomImageVersion: 'G520.0200.00.05',
    inforomEccVersion: '7.16',
    bar1Mib: 131_072,
    maxVideoClockMhz: 1545,
    maxTemperatureC: 87,
    maxMemoryTemperatureC: 95,
    nvlink: { links: 18, version: 4, megabytesPerSecond: 26_562 },
    countsNvlink: true,
    remapBanks: 2560,
  },
  B200: {
    ...hopperAndNewer,
    architecture: 'blackwell',
    computeCapability: '10.0',
    boardPartNumber: '692-2G525-0220-000',
    vbiosVersion: '97.00.82.00.18',
    inforomImageVersion: 'G525.0220.00.03',
    inforomEccVersion: '7.16',
    hasPlatform: true,
    bar1Mib: 262_144,
    maxVideoClockMhz: 1530,
    maxTemperatureC: null,
    maxMemoryTemperatureC: null,
    nvlink: { links: 18, version: 5, megabytesPerSecond: 53_125 },
    countsNvlink: false,
    remapBanks: 4096,
  },
  GB200: {
    ...hopperAndNewer,
    architecture: 'blackwell',
    computeCapability: '10.0',
    boardPartNumber: '699-2G548-1201-A10',
    vbiosVersion: '97.00.82.00.2B',
    inforomImageVersion: 'G548.0201.00.06',
    inforomEccVersion: '7.16',
    hasPlatform: true,
    coherentMemory: true,
    bar1Mib: 262_144,
    maxVideoClockMhz: 1545,
    maxTemperatureC: null,
    maxMemoryTemperatureC: null,
    nvlink: { links: 18, version: 5, megabytesPerSecond: 53_125 },
    countsNvlink: false,
    measuresModulePower: true,
    remapBanks: 4096,
  },
};
