import { z } from 'zod';
import { eccLocationNames, type RecoveryAction, recoveryActions } from '../core/errors-readings.ts';
import type { GpuReadings } from '../core/gpu.ts';
import { type ClocksEventReason, clocksEventReasonBits } from '../core/power-readings.ts';
import type { Reading } from '../core/reading.ts';

type Value<Name extends keyof GpuReadings> = Extract<GpuReadings[Name], { value: unknown }>['value'];

const count = z.int().min(0);
const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must be one line of text');
const temperature = z.int().min(0).max(255);
const margin = z.int().min(-128).max(127);
const percent = z.int().min(0).max(100);
const clock = z.int().min(0).max(10_000);
/** NVML counts in milliwatts and millijoules. */
const thousandths = (most: number) => rounded(most, 1000);
const watts = thousandths(100_000);
const mode = z.strictObject({ current: z.boolean(), pending: z.boolean() });
/** The driver counts it in ns; more than a microsecond of it is kept exactly. */
const seconds = rounded(1e9, 1e6);
const lanes = z.int().min(1).max(32);
const pcieGeneration = z.int().min(1).max(8);
const hex32 = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hexadecimal digits in lower case');
const numbers = (most: number) => z.array(z.int().min(0).max(most));

const reasonNames = Object.keys(clocksEventReasonBits) as ClocksEventReason[];

const oneOf = <Words extends string>(words: readonly Words[]) =>
  z.custom<Words | `unknown${number}`>(
    (given) => words.some((word) => word === given) || /^unknown\d{1,3}$/.test(String(given)),
    `must be ${words.join(', ')}, or unknown with a number`,
  );

/** Each of these can be missing for itself. */
const told = <T>(schema: z.ZodType<T>): z.ZodType<Reading<T>> =>
  z.union([
    z.strictObject({ value: schema }),
    z.strictObject({ missing: z.literal('notSupported') }),
  ]) as unknown as z.ZodType<Reading<T>>;

const memory = z
  .strictObject({ totalBytes: count, reservedBytes: count, usedBytes: count, freeBytes: count })
  .refine((m) => m.totalBytes === m.reservedBytes + m.usedBytes + m.freeBytes, {
    error: 'totalBytes must be the sum of the other three',
  });

const migDevice = z.strictObject({
  index: z.int().min(0).max(6),
  uuid: told(text(95)),
  name: told(text(95)),
  gpuInstanceId: told(count),
  computeInstanceId: told(count),
  memory: told(memory),
  slices: told(
    z.strictObject({ multiprocessors: count, gpuInstanceSlices: count, computeInstanceSlices: count }),
  ),
});

const nvlink = z.strictObject({
  link: z.int().min(0).max(35),
  active: z.boolean().nullable(),
  version: count.nullable(),
  speedMegabytesPerSecond: count.nullable(),
  remoteType: oneOf(['gpu', 'npu', 'switch']).nullable(),
  remotePciAddress: z.string().nullable(),
  errors: z.record(z.string(), z.number()),
  missing: z.strictObject({}).default({}),
});

const sramCounts = [
  'correctedVolatile',
  'uncorrectedParityVolatile',
  'uncorrectedSecDedVolatile',
  'correctedAggregate',
  'uncorrectedParityAggregate',
  'uncorrectedSecDedAggregate',
  'l2',
  'sm',
  'microcontroller',
  'pcie',
  'other',
] as const;
type SramCount = (typeof sramCounts)[number];

/** What each reading can be in a scenario: what the driver could say, in the units of GpuReadings. */
export const readingSchemas: { readonly [Name in keyof GpuReadings]: z.ZodType<Value<Name>> } = {
  name: text(95),
  uuid: text(95),
  serial: text(29),
  pciAddress: z
    .string()
    .regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.0$/, 'must be like 0000:3b:00.0, in lower case'),
  minorNumber: count,
  brand: text(64),
  architecture: text(64),
  computeCapability: z.string().regex(/^\d{1,2}\.\d$/, "must be like '9.0'"),
  boardPartNumber: text(79),
  vbiosVersion: text(31),
  inforomImageVersion: text(15),
  inforomOemVersion: text(15),
  inforomEccVersion: text(15),
  inforomPowerVersion: text(15),
  inforomValid: z.boolean(),
  gspFirmwareVersion: text(63),
  moduleId: count,
  platform: z.strictObject({
    ibGuid: hex32,
    chassisSerialNumber: text(15),
    slotNumber: z.int().min(0).max(255),
    trayIndex: z.int().min(0).max(255),
    hostId: z.int().min(0).max(255),
    peerType: oneOf(['direct', 'switch']),
    moduleId: z.int().min(0).max(255),
  }),
  numaNode: count,
  numaAffinity: numbers(1023),
  cpuAffinity: z.string().regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, "must be like '0-31,64-95'"),
  computeMode: oneOf(['default', 'exclusiveThread', 'prohibited', 'exclusiveProcess']),
  virtualizationMode: oneOf(['none', 'passthrough', 'vgpu', 'hostVgpu', 'hostVsga']),
  persistenceMode: z.boolean(),
  migMode: mode,
  migDevices: z.array(migDevice),
  fabric: z.strictObject({
    state: oneOf(['notSupported', 'notStarted', 'inProgress', 'completed']),
    status: count,
    clusterUuid: hex32,
    cliqueId: count,
    faults: z
      .array(z.enum(['degradedBandwidth', 'routeRecovery', 'routeUnhealthy', 'accessTimeout']))
      .nullable(),
  }),
  memory,
  bar1Memory: z.strictObject({ totalBytes: count, usedBytes: count, freeBytes: count }),
  utilization: z.strictObject({ gpuPercent: percent, memoryPercent: percent }),
  encoderPercent: percent,
  decoderPercent: percent,
  jpegPercent: percent,
  ofaPercent: percent,
  performanceState: z.int().min(0).max(15),
  graphicsClockMhz: clock,
  smClockMhz: clock,
  memoryClockMhz: clock,
  videoClockMhz: clock,
  maxGraphicsClockMhz: clock,
  maxSmClockMhz: clock,
  maxMemoryClockMhz: clock,
  maxVideoClockMhz: clock,
  pcieGeneration,
  maxPcieGeneration: pcieGeneration,
  pcieWidth: lanes,
  maxPcieWidth: lanes,
  pcieTxBytes: count,
  pcieRxBytes: count,
  nvlinkTxBytes: count.multipleOf(1024),
  nvlinkRxBytes: count.multipleOf(1024),
  temperatureC: temperature,
  temperatureMarginC: margin,
  memoryTemperatureC: temperature,
  slowdownTemperatureC: temperature,
  shutdownTemperatureC: temperature,
  maxMemoryTemperatureC: temperature,
  maxTemperatureC: temperature,
  slowdownMarginC: margin,
  shutdownMarginC: margin,
  maxMarginC: margin,
  maxMemoryMarginC: margin,
  fanPercents: numbers(200),
  powerWatts: watts,
  instantPowerWatts: watts,
  averagePowerWatts: watts,
  modulePowerWatts: watts,
  powerLimitWatts: watts,
  defaultPowerLimitWatts: watts,
  powerLimitRange: z.strictObject({ minWatts: watts, maxWatts: watts }),
  energyJoules: thousandths(1e12),
  clocksEventReasons: z
    .array(z.enum(reasonNames))
    .transform((reasons) => reasonNames.filter((reason) => reasons.includes(reason))),
  powerViolationSeconds: seconds,
  thermalViolationSeconds: seconds,
  syncBoostViolationSeconds: seconds,
  boardLimitViolationSeconds: seconds,
  lowUtilizationViolationSeconds: seconds,
  reliabilityViolationSeconds: seconds,
  appClocksViolationSeconds: seconds,
  baseClocksViolationSeconds: seconds,
  swThermalSlowdownSeconds: seconds,
  hwThermalSlowdownSeconds: seconds,
  hwPowerBrakeSlowdownSeconds: seconds,
  eccMode: mode,
  eccCorrectedVolatile: count,
  eccUncorrectedVolatile: count,
  eccCorrectedAggregate: count,
  eccUncorrectedAggregate: count,
  eccLocations: z
    .array(
      z.strictObject({
        location: z.enum(eccLocationNames),
        correctedVolatile: count.nullable(),
        uncorrectedVolatile: count.nullable(),
        correctedAggregate: count.nullable(),
        uncorrectedAggregate: count.nullable(),
      }),
    )
    .min(1),
  sramEcc: z.strictObject({
    thresholdExceeded: z.boolean(),
    ...(Object.fromEntries(sramCounts.map((name) => [name, count])) as Record<SramCount, typeof count>),
  }),
  remappedRows: z.strictObject({
    correctable: count,
    uncorrectable: count,
    pending: z.boolean(),
    failed: z.boolean(),
  }),
  rowRemapHistogram: z.strictObject({ max: count, high: count, partial: count, low: count, none: count }),
  retiredPagesPending: z.boolean(),
  retiredPagesSingleBit: count,
  retiredPagesDoubleBit: count,
  repairPending: z.strictObject({ channel: z.boolean(), tpc: z.boolean() }),
  unrepairableMemory: z.boolean(),
  recoveryAction: z.custom<RecoveryAction>(
    isRecoveryAction,
    `must be ${recoveryActions.join(', ')}, or unknown6 and up`,
  ),
  pcieReplays: count,
  pcieCorrectableErrors: count,
  pcieNonFatalErrors: count,
  pcieFatalErrors: count,
  nvlinks: z.array(nvlink).min(1).max(36),
};

function isRecoveryAction(given: unknown): boolean {
  if (recoveryActions.some((action) => action === given)) return true;
  const [, code] = typeof given === 'string' ? (/^unknown([1-9]\d*)$/.exec(given) ?? []) : [];
  return code !== undefined && Number(code) >= recoveryActions.length;
}

function rounded(most: number, parts: number) {
  return z
    .number()
    .min(0)
    .max(most)
    .transform((value) => Math.round(value * parts) / parts);
}
