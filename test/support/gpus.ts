import type { DriverInfo } from '../../src/core/driver.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import type { Missing, Reading } from '../../src/core/reading.ts';
import type { DriverState, GpuState, GpuTrouble, Snapshot } from '../../src/core/snapshot.ts';

type Values = {
  readonly [Name in keyof GpuReadings]: Extract<GpuReadings[Name], { value: unknown }>['value'];
};

/** A reading as a test writes it: the value, or why it is missing. */
export type Given = { readonly [Name in keyof Values]?: Values[Name] | { readonly missing: Missing } };

const gibibyte = 2 ** 30;

const h100Board = {
  brand: 'NVIDIA',
  architecture: 'hopper',
  computeCapability: '9.0',
  boardPartNumber: '692-2G520-0200-000',
  vbiosVersion: '96.00.A5.00.01',
  inforomImageVersion: 'G520.0200.00.05',
  inforomOemVersion: '2.1',
  inforomEccVersion: '7.16',
  inforomPowerVersion: '1.0',
  inforomValid: true,
  gspFirmwareVersion: '580.126.20',
  moduleId: 1,
  platform: {
    ibGuid: '0'.repeat(32),
    chassisSerialNumber: '1821325191',
    slotNumber: 1,
    trayIndex: 0,
    hostId: 1,
    peerType: 'switch',
    moduleId: 1,
  },
  numaNode: 2,
  numaAffinity: [0],
  cpuAffinity: '0-47,96-143',
  computeMode: 'default',
  virtualizationMode: 'none',
  migDevices: [],
  fabric: { state: 'completed', status: 0, clusterUuid: '0'.repeat(32), cliqueId: 0, faults: [] },
  maxGraphicsClockMhz: 1980,
  maxSmClockMhz: 1980,
  maxMemoryClockMhz: 2619,
  maxVideoClockMhz: 1545,
  maxPcieGeneration: 5,
  maxPcieWidth: 16,
  maxMemoryTemperatureC: 95,
  maxTemperatureC: 87,
  slowdownMarginC: -2,
  shutdownMarginC: -8,
  maxMarginC: 0,
  maxMemoryMarginC: 0,
} as const;

const h100Counters = {
  bar1Memory: { totalBytes: 128 * gibibyte, usedBytes: 6 * 2 ** 20, freeBytes: 128 * gibibyte - 6 * 2 ** 20 },
  jpegPercent: 0,
  ofaPercent: 0,
  videoClockMhz: 1545,
  pcieGeneration: 5,
  pcieWidth: 16,
  pcieTxBytes: 1_000_000,
  pcieRxBytes: 2_000_000,
  nvlinkTxBytes: 1_048_576,
  nvlinkRxBytes: 2_097_152,
  temperatureMarginC: 32,
  fanPercents: [],
  instantPowerWatts: 351.5,
  averagePowerWatts: 350.5,
  modulePowerWatts: 500,
  powerViolationSeconds: 0,
  thermalViolationSeconds: 0,
  syncBoostViolationSeconds: 0,
  boardLimitViolationSeconds: 0,
  lowUtilizationViolationSeconds: 0,
  reliabilityViolationSeconds: 0,
  appClocksViolationSeconds: 0,
  baseClocksViolationSeconds: 0,
  swThermalSlowdownSeconds: 0,
  hwThermalSlowdownSeconds: 0,
  hwPowerBrakeSlowdownSeconds: 0,
  eccLocations: (['dram', 'sram'] as const).map((location) => ({
    location,
    correctedVolatile: 0,
    uncorrectedVolatile: 0,
    correctedAggregate: 0,
    uncorrectedAggregate: 0,
  })),
  sramEcc: {
    thresholdExceeded: false,
    correctedVolatile: 0,
    uncorrectedParityVolatile: 0,
    uncorrectedSecDedVolatile: 0,
    correctedAggregate: 0,
    uncorrectedParityAggregate: 0,
    uncorrectedSecDedAggregate: 0,
    l2: 0,
    sm: 0,
    microcontroller: 0,
    pcie: 0,
    other: 0,
  },
  rowRemapHistogram: { max: 2560, high: 0, partial: 0, low: 0, none: 0 },
  retiredPagesSingleBit: 0,
  retiredPagesDoubleBit: 0,
  repairPending: { channel: false, tpc: false },
  unrepairableMemory: false,
  pcieCorrectableErrors: 0,
  pcieNonFatalErrors: 0,
  pcieFatalErrors: 0,
} as const;

const h100: Values = {
  name: 'NVIDIA H100 80GB HBM3',
  uuid: 'GPU-00000000-0000-0000-0000-000000000000',
  serial: '1650000000000',
  pciAddress: '0000:00:00.0',
  minorNumber: 0,
  memory: {
    totalBytes: 80 * gibibyte,
    reservedBytes: gibibyte,
    usedBytes: 20 * gibibyte,
    freeBytes: 59 * gibibyte,
  },
  utilization: { gpuPercent: 60, memoryPercent: 20 },
  encoderPercent: 0,
  decoderPercent: 0,
  temperatureC: 55,
  memoryTemperatureC: 61,
  slowdownTemperatureC: 89,
  shutdownTemperatureC: 95,
  powerWatts: 350.5,
  powerLimitWatts: 700,
  defaultPowerLimitWatts: 700,
  powerLimitRange: { minWatts: 200, maxWatts: 700 },
  energyJoules: 123_456.789,
  graphicsClockMhz: 1755,
  smClockMhz: 1755,
  memoryClockMhz: 2619,
  clocksEventReasons: [],
  performanceState: 0,
  eccMode: { current: true, pending: true },
  eccCorrectedVolatile: 0,
  eccUncorrectedVolatile: 0,
  eccCorrectedAggregate: 0,
  eccUncorrectedAggregate: 0,
  remappedRows: { correctable: 0, uncorrectable: 0, pending: false, failed: false },
  retiredPagesPending: false,
  recoveryAction: 'none',
  pcieReplays: 0,
  migMode: { current: false, pending: false },
  persistenceMode: true,
  ...h100Board,
  ...h100Counters,
  nvlinks: Array.from({ length: 18 }, (_, link) => ({
    link,
    active: true,
    version: 4,
    speedMegabytesPerSecond: 26_562,
    remoteType: 'switch',
    remotePciAddress: `0000:${(0xc1 + (link % 4)).toString(16)}:00.0`,
    errors: { replays: 0, recoveries: 0, crc: 0 },
    missing: {},
  })),
};

/** The agent's clock in these tests, in ms. Readings are a second old. */
export const nowMs = 1_000_000;
export const readAtMs = nowMs - 1000;

export interface GpuOptions {
  readonly trouble?: GpuTrouble['kind'];
  readonly readAtMs?: number | null;
  /** Distinguishes the GPUs of one node from those of another. */
  readonly node?: number;
}

/** A healthy H100 of this index, but for what is given. */
export function gpu(index: number, given: Given = {}, options: GpuOptions = {}): GpuState {
  const { node = 0 } = options;
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');
  const own: Given = {
    uuid: `GPU-${hex(node, 8)}-0000-0000-0000-${hex(index, 12)}`,
    pciAddress: `0000:${hex(0x0a + 7 * index, 2)}:00.0`,
    minorNumber: index,
    serial: `165${String(node).padStart(5, '0')}${String(index).padStart(5, '0')}`,
    retiredPagesPending: { missing: 'notSupported' },
  };
  return {
    index,
    readings: readings({ ...h100, ...own, ...given }),
    readAtMs: options.readAtMs === undefined ? readAtMs : options.readAtMs,
    slowReadAtMs: options.readAtMs === undefined ? readAtMs - 30_000 : options.readAtMs,
    rates: {
      pcieTxBytesPerSecond: { value: 1_200_000_000 },
      pcieRxBytesPerSecond: { value: 3_400_000_000 },
      nvlinkTxBytesPerSecond: { value: 56_000_000_000 },
      nvlinkRxBytesPerSecond: { value: 78_000_000_000 },
    },
    trouble: options.trouble ? { kind: options.trouble, sinceMs: nowMs - 180_000 } : null,
  };
}

/** Of which nothing can be read for this reason, but its name and address where they are known. */
export function unreadableGpu(
  index: number,
  missing: Missing,
  known: Given = {},
  options?: GpuOptions,
): GpuState {
  const nothing = Object.fromEntries(Object.keys(h100).map((name) => [name, { missing }]));
  return gpu(index, { ...nothing, ...known }, options);
}

export const driverInfo: DriverInfo = {
  driverVersion: { value: '580.126.20' },
  cudaVersion: { value: '13.0' },
  nvmlVersion: { value: '13.580.126.20' },
  confidentialComputing: { value: { environment: 'unavailable', enabled: false, devTools: false } },
  gpuCount: 8,
};

export const driverOk: DriverState = { state: 'ok', info: driverInfo };

export function snapshot(
  gpus: readonly GpuState[],
  driver: DriverState = driverOk,
  simulated = false,
): Snapshot {
  return { simulated, driver, gpus };
}

function readings(given: Given): GpuReadings {
  return Object.fromEntries(
    Object.entries(given).map(([name, one]) => [name, isMissing(one) ? one : { value: one }]),
  ) as unknown as GpuReadings;
}

function isMissing(one: unknown): one is Extract<Reading<unknown>, { missing: Missing }> {
  return typeof one === 'object' && one !== null && 'missing' in one;
}
