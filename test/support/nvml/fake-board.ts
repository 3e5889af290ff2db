/** A reading of a GPU; null or absent: the GPU answers NOT_SUPPORTED. */
export type Reading<T> = T | null;

/** 64-bit values beyond 2^53 as bigint. */
export type Whole = number | bigint;

/** What a board is and how it is set up, in NVML's numbers. */
export interface FakeBoard {
  /** Enumerations as their numbers in nvml.h. */
  brand?: Reading<number>;
  architecture?: Reading<number>;
  computeMode?: Reading<number>;
  virtualizationMode?: Reading<number>;
  computeCapability?: Reading<{ major: number; minor: number }>;
  boardPartNumber?: Reading<string>;
  vbiosVersion?: Reading<string>;
  inforomImageVersion?: Reading<string>;
  inforomVersion?: Reading<{ oem?: string; ecc?: string; power?: string }>;
  /** 1 valid, 0 corrupted. */
  inforomValid?: Reading<number>;
  gspFirmwareVersion?: Reading<string>;
  moduleId?: Reading<number>;
  numaNode?: Reading<number>;
  /** 32 hexadecimal digits, a text of at most 16 characters without spaces, and the struct's numbers. */
  platform?: Reading<{
    ibGuid: string;
    /** `-`: none. */
    chassisSerialNumber: string;
    slotNumber: number;
    trayIndex: number;
    hostId: number;
    peerType: number;
    moduleId: number;
  }>;
  fabric?: Reading<{
    clusterUuid: string;
    state: number;
    status: number;
    cliqueId: number;
    healthMask: number;
  }>;
  /** Bit masks, the lowest word first. */
  numaAffinity?: Reading<readonly Whole[]>;
  cpuAffinity?: Reading<readonly Whole[]>;
  bar1Memory?: Reading<{ total: Whole; used: Whole }>;
  jpeg?: Reading<{ percent: number; microseconds: number }>;
  ofa?: Reading<{ percent: number; microseconds: number }>;
  pcieGeneration?: Reading<number>;
  maxPcieGeneration?: Reading<number>;
  pcieWidth?: Reading<number>;
  maxPcieWidth?: Reading<number>;
  temperatureMarginC?: Reading<number>;
  /** One for each fan; none: the number of fans is 0. */
  fanPercents?: Reading<readonly number[]>;
  /** By location's number in nvml.h. */
  eccLocations?: Reading<readonly FakeEccLocation[]>;
  /** In the order of the struct: aggregate unc. parity, unc. SEC-DED, corrected, volatile the same, buckets, threshold. */
  sramEcc?: Reading<readonly Whole[]>;
  rowRemapHistogram?: Reading<{ max: number; high: number; partial: number; low: number; none: number }>;
  repairPending?: Reading<{ channel: number; tpc: number }>;
  unrepairableMemory?: Reading<number>;
  maxMigDevices?: Reading<number>;
  /** While the MIG mode is 1. */
  migDevices?: readonly FakeMigDevice[];
}

interface FakeEccLocation {
  location: number;
  correctedVolatile?: Whole | null;
  uncorrectedVolatile?: Whole | null;
  correctedAggregate?: Whole | null;
  uncorrectedAggregate?: Whole | null;
}

export interface FakeMigDevice {
  index: number;
  uuid: string;
  name?: Reading<string>;
  gpuInstanceId?: Reading<number>;
  computeInstanceId?: Reading<number>;
  memoryBytes?: Reading<{ total: Whole; reserved: Whole; used: Whole }>;
  slices?: Reading<{
    multiprocessors: number;
    gpuInstance: number;
    computeInstance: number;
    mebibytes: Whole;
  }>;
}

const eccCounts = {
  correctedVolatile: '0.0',
  correctedAggregate: '0.1',
  uncorrectedVolatile: '1.0',
  uncorrectedAggregate: '1.1',
} as const;

const inforomObjects = { oem: 0, ecc: 1, power: 2 } as const;

/** The lines of what is not a reading by name and numbers, and without it the rest, which is. */
export function boardLines<Gpu extends FakeBoard>(gpu: Gpu) {
  const {
    inforomVersion,
    numaAffinity,
    cpuAffinity,
    fanPercents,
    eccLocations,
    sramEcc,
    migDevices,
    ...rest
  } = gpu;
  const lines = [
    ...Object.entries(inforomVersion ?? {}).map(
      ([object, text]) => `inforomVersion.${inforomObjects[object as keyof typeof inforomObjects]} ${text}`,
    ),
    ...mask('numaAffinity', numaAffinity),
    ...mask('cpuAffinity', cpuAffinity),
    ...(fanPercents ? [`fans ${fanPercents.length}`] : []),
    ...(fanPercents ?? []).map((percent, fan) => `fanPercent.${fan} ${percent}`),
    ...(eccLocations ?? []).flatMap(eccLines),
    ...(sramEcc ? [`sramEcc ${sramEcc.join(' ')}`] : []),
    ...(migDevices ?? []).flatMap(migLines),
  ];
  return { lines, rest };
}

function mask(name: string, words: Reading<readonly Whole[]> | undefined): string[] {
  return words ? [[name, words.length, ...words].join(' ')] : [];
}

function eccLines({ location, ...counts }: FakeEccLocation): string[] {
  return Object.entries(counts).flatMap(([name, count]) =>
    count === null ? [] : [`eccLocation.${eccCounts[name as keyof typeof eccCounts]}.${location} ${count}`],
  );
}

function migLines({ index, memoryBytes, slices, ...others }: FakeMigDevice): string[] {
  const lines = [
    ...Object.entries(others).flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`])),
    memoryBytes && `memoryBytes ${memoryBytes.total} ${memoryBytes.reserved} ${memoryBytes.used}`,
    slices &&
      `slices ${slices.multiprocessors} ${slices.gpuInstance} ${slices.computeInstance} ${slices.mebibytes}`,
  ];
  return lines.filter((line) => typeof line === 'string').map((line) => `mig.${index}.${line}`);
}
