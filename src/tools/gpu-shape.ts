import { z } from 'zod';

/** Null: missing, and `missing` says why. */
const told = <Value extends z.ZodType>(value: Value) => value.nullable();
/** An agent of an older version does not tell it: `missing` says so then. */
const later = <Value extends z.ZodType>(value: Value) => value.nullable().default(null);
const text = z.string();
const number = z.number();
const yesNo = z.boolean();

export const laterNumber = later(number);

const mode = z.object({ current: z.boolean(), pending: z.boolean() });
const bytes = { totalBytes: number, usedBytes: number, freeBytes: number };
const memory = z.object({
  ...bytes,
  reservedBytes: number,
  /** Of drivers before R510, which do not tell them apart: nothing is reserved besides what is used. */
  usedIncludesReserved: yesNo.optional(),
});

/** What names a GPU, in every answer about one. */
export const nameShape = { name: told(text), uuid: told(text), pciAddress: told(text) };

export const identityShape = {
  ...nameShape,
  serial: told(text),
  minorNumber: later(number),
  brand: later(text),
  architecture: later(text),
  computeCapability: later(text),
  boardPartNumber: later(text),
  vbiosVersion: later(text),
  inforomImageVersion: later(text),
  inforomOemVersion: later(text),
  inforomEccVersion: later(text),
  inforomPowerVersion: later(text),
  inforomValid: later(yesNo),
  gspFirmwareVersion: later(text),
  moduleId: later(number),
  platform: later(
    z.object({
      ibGuid: text,
      chassisSerialNumber: text,
      slotNumber: number,
      trayIndex: number,
      hostId: number,
      peerType: text,
      moduleId: number,
    }),
  ),
  numaNode: later(number),
  numaAffinity: later(z.array(number)),
  cpuAffinity: later(text),
};

/** Wire form of a MigDevice: null where its own reading is missing. */
const migDevice = z.object({
  index: number,
  uuid: told(text),
  name: told(text),
  gpuInstanceId: told(number),
  computeInstanceId: told(number),
  memory: told(memory),
  slices: told(
    z.object({ multiprocessors: number, gpuInstanceSlices: number, computeInstanceSlices: number }),
  ),
  missing: z.record(text, text).default({}),
});
export type MigRow = z.output<typeof migDevice>;

export const modeShape = {
  computeMode: later(text),
  virtualizationMode: later(text),
  persistenceMode: told(yesNo),
  migMode: told(mode),
  migDevices: later(z.array(migDevice)),
  fabric: later(
    z.object({
      state: text,
      status: number,
      clusterUuid: text,
      cliqueId: number,
      faults: z.array(text).nullable(),
    }),
  ),
};

export const loadShape = {
  memory: told(memory),
  bar1Memory: later(z.object(bytes)),
  utilization: told(z.object({ gpuPercent: number, memoryPercent: number })),
  encoderPercent: later(number),
  decoderPercent: later(number),
  jpegPercent: later(number),
  ofaPercent: later(number),
  performanceState: told(number),
  graphicsClockMhz: told(number),
  smClockMhz: told(number),
  memoryClockMhz: told(number),
  videoClockMhz: later(number),
  maxGraphicsClockMhz: later(number),
  maxSmClockMhz: later(number),
  maxMemoryClockMhz: later(number),
  maxVideoClockMhz: later(number),
};

export const pcieShape = {
  pcieGeneration: later(number),
  maxPcieGeneration: later(number),
  pcieWidth: later(number),
  maxPcieWidth: later(number),
};

export const trafficShape = {
  pcieTxBytes: later(number),
  pcieRxBytes: later(number),
  nvlinkTxBytes: later(number),
  nvlinkRxBytes: later(number),
};

export const heatShape = {
  temperatureC: told(number),
  temperatureMarginC: later(number),
  memoryTemperatureC: later(number),
  slowdownTemperatureC: told(number),
  shutdownTemperatureC: told(number),
  maxMemoryTemperatureC: later(number),
  maxTemperatureC: later(number),
  slowdownMarginC: later(number),
  shutdownMarginC: later(number),
  maxMarginC: later(number),
  maxMemoryMarginC: later(number),
};

export const powerShape = {
  ...heatShape,
  fanPercents: later(z.array(number)),
  powerWatts: told(number),
  instantPowerWatts: later(number),
  averagePowerWatts: later(number),
  modulePowerWatts: later(number),
  powerLimitWatts: told(number),
  defaultPowerLimitWatts: told(number),
  powerLimitRange: told(z.object({ minWatts: number, maxWatts: number })),
  energyJoules: later(number),
  clocksEventReasons: told(z.array(text)),
};

export const throttleShape = {
  powerViolationSeconds: later(number),
  thermalViolationSeconds: later(number),
  syncBoostViolationSeconds: later(number),
  boardLimitViolationSeconds: later(number),
  lowUtilizationViolationSeconds: later(number),
  reliabilityViolationSeconds: later(number),
  appClocksViolationSeconds: later(number),
  baseClocksViolationSeconds: later(number),
  swThermalSlowdownSeconds: later(number),
  hwThermalSlowdownSeconds: later(number),
  hwPowerBrakeSlowdownSeconds: later(number),
};

const eccCounts = {
  correctedVolatile: number,
  correctedAggregate: number,
};

export const errorShape = {
  eccMode: told(mode),
  eccCorrectedVolatile: told(number),
  eccUncorrectedVolatile: told(number),
  eccCorrectedAggregate: told(number),
  eccUncorrectedAggregate: told(number),
  remappedRows: told(z.object({ correctable: number, uncorrectable: number, pending: yesNo, failed: yesNo })),
  retiredPagesPending: told(yesNo),
  recoveryAction: told(text),
  pcieReplays: later(number),
};

/** What only health tells of: evidence, as the driver counts it. */
export const evidenceShape = {
  eccLocations: later(
    z.array(
      z.object({
        location: text,
        correctedVolatile: number.nullable(),
        uncorrectedVolatile: number.nullable(),
        correctedAggregate: number.nullable(),
        uncorrectedAggregate: number.nullable(),
      }),
    ),
  ),
  sramEcc: later(
    z.object({
      ...eccCounts,
      thresholdExceeded: yesNo,
      uncorrectedParityVolatile: number,
      uncorrectedSecDedVolatile: number,
      uncorrectedParityAggregate: number,
      uncorrectedSecDedAggregate: number,
      l2: number,
      sm: number,
      microcontroller: number,
      pcie: number,
      other: number,
    }),
  ),
  rowRemapHistogram: later(
    z.object({ max: number, high: number, partial: number, low: number, none: number }),
  ),
  retiredPagesSingleBit: later(number),
  retiredPagesDoubleBit: later(number),
  repairPending: later(z.object({ channel: yesNo, tpc: yesNo })),
  unrepairableMemory: later(yesNo),
  pcieCorrectableErrors: later(number),
  pcieNonFatalErrors: later(number),
  pcieFatalErrors: later(number),
};

/** Of the topology. */
export const linkShape = {
  nvlinks: later(
    z.array(
      z.object({
        link: number,
        active: yesNo.nullable(),
        version: number.nullable(),
        speedMegabytesPerSecond: number.nullable(),
        remoteType: text.nullable(),
        remotePciAddress: text.nullable(),
        errors: z.record(text, number),
        missing: z.record(text, text).default({}).describe('field → why an active link does not tell it'),
      }),
    ),
  ),
};
