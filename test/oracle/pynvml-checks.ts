import { recoveryActions } from '../../src/core/errors-readings.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import { type Check, drift, type Form, json } from './check.ts';

/** @param told a Python expression that gives our value in our unit; what it raises is an absence */
function one(told: string, moves?: number): Check {
  return {
    of: (reading) => reading,
    from: [`pynvml ${told}`],
    form: json,
    ...(moves !== undefined && { moves }),
  };
}

function part(name: string, told: string, moves?: number): Check {
  return { ...one(told, moves), part: name, of: (reading) => (reading as Record<string, unknown>)[name] };
}

/** Each link's member of this name. */
function links(name: string, told: string): Check {
  return {
    ...one(`[${told} for link in range(field(gpu, 91))]`),
    part: name,
    of: (reading) => (reading as Record<string, unknown>[]).map((link) => link[name]),
  };
}

const mode = (name: string) => [
  part('current', `${name}(gpu)[0] == 1`),
  part('pending', `${name}(gpu)[1] == 1`),
];
const clock = (name: string) => [one(`nvmlDeviceGetClockInfo(gpu, NVML_CLOCK_${name})`, drift.megahertz)];
const maxClock = (name: string) => [one(`nvmlDeviceGetMaxClockInfo(gpu, NVML_CLOCK_${name})`)];
const engine = (name: string) => [one(`nvmlDeviceGet${name}Utilization(gpu)[0]`, drift.percent)];
const threshold = (name: string) => [
  one(`nvmlDeviceGetTemperatureThreshold(gpu, NVML_TEMPERATURE_THRESHOLD_${name})`),
];
const seconds = (id: number) => [one(`field(gpu, ${id}) / 1e9`, drift.none)];
const counter = (id: number) => [one(`field(gpu, ${id})`, drift.none)];
const nvlinkBytes = (all: number, each: number) => [one(`link_bytes(gpu, ${all}, ${each})`, drift.none)];
const ecc = (kind: string, since: string) => [
  one(`nvmlDeviceGetTotalEccErrors(gpu, NVML_MEMORY_ERROR_TYPE_${kind}, NVML_${since}_ECC)`, drift.none),
];
const memory = 'nvmlDeviceGetMemoryInfo(gpu, nvmlMemory_v2)';
const bar1 = 'nvmlDeviceGetBAR1MemoryInfo(gpu)';
const remapped = 'nvmlDeviceGetRemappedRows(gpu)';
const histogram = 'nvmlDeviceGetRowRemapperHistogram(gpu)';

/** `0-31,64` → the numbers themselves. */
function numbersOf(ranges: unknown): number[] {
  return String(ranges)
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => first + at);
    });
}

/** What the driver tells of itself, and nvidia-smi does not: asked beside each GPU. */
export type OfDriver = 'nvmlVersion' | 'confidentialComputing';

function computing(name: string, told: string): Check {
  return part(name, told.replace('{}', 'nvmlSystemGetConfComputeState()'));
}

const recoveryWords: Form = { read: (told) => recoveryActions[Number(told)] ?? told };

/**
 * Another binding of the same library, by NVIDIA: it tells what nvidia-smi does not, and unrounded. What differs here is a
 * mistake of ours in a number, a struct or a type.
 */
export const pynvmlChecks: Readonly<Partial<Record<keyof GpuReadings | OfDriver, readonly Check[]>>> = {
  nvmlVersion: [one('nvmlSystemGetNVMLVersion()')],
  confidentialComputing: [
    computing('environment', "['unavailable', 'simulation', 'production'][{}.environment]"),
    computing('enabled', '{}.ccFeature != 0'),
    computing('devTools', '{}.devToolsMode != 0'),
  ],
  minorNumber: [one('nvmlDeviceGetMinorNumber(gpu)')],
  moduleId: [one('nvmlDeviceGetModuleId(gpu)')],
  numaNode: [one('nvmlDeviceGetNumaNodeId(gpu)')],
  numaAffinity: [one('ones(nvmlDeviceGetMemoryAffinity(gpu, 64, NVML_AFFINITY_SCOPE_NODE))')],
  cpuAffinity: [{ ...one('ones(nvmlDeviceGetCpuAffinity(gpu, 64))'), of: numbersOf }],

  memory: [
    part('totalBytes', `${memory}.total`),
    part('reservedBytes', `${memory}.reserved`, drift.memory),
    part('usedBytes', `${memory}.used`, drift.memory),
    part('freeBytes', `${memory}.free`, drift.memory),
  ],
  bar1Memory: [
    part('totalBytes', `${bar1}.bar1Total`),
    part('usedBytes', `${bar1}.bar1Used`, drift.memory),
    part('freeBytes', `${bar1}.bar1Free`, drift.memory),
  ],
  utilization: [
    part('gpuPercent', 'nvmlDeviceGetUtilizationRates(gpu).gpu', drift.percent),
    part('memoryPercent', 'nvmlDeviceGetUtilizationRates(gpu).memory', drift.percent),
  ],
  encoderPercent: engine('Encoder'),
  decoderPercent: engine('Decoder'),
  performanceState: [one('nvmlDeviceGetPerformanceState(gpu)', drift.none)],
  graphicsClockMhz: clock('GRAPHICS'),
  smClockMhz: clock('SM'),
  memoryClockMhz: clock('MEM'),
  videoClockMhz: clock('VIDEO'),
  maxGraphicsClockMhz: maxClock('GRAPHICS'),
  maxSmClockMhz: maxClock('SM'),
  maxMemoryClockMhz: maxClock('MEM'),
  pcieTxBytes: counter(197),
  pcieRxBytes: counter(198),
  nvlinkTxBytes: nvlinkBytes(138, 202),
  nvlinkRxBytes: nvlinkBytes(139, 204),

  temperatureC: [one('nvmlDeviceGetTemperature(gpu, NVML_TEMPERATURE_GPU)', drift.celsius)],
  memoryTemperatureC: [one('field(gpu, 82)', drift.celsius)],
  slowdownTemperatureC: threshold('SLOWDOWN'),
  shutdownTemperatureC: threshold('SHUTDOWN'),
  maxMemoryTemperatureC: threshold('MEM_MAX'),
  maxTemperatureC: threshold('GPU_MAX'),
  slowdownMarginC: [one('field(gpu, 194)')],
  shutdownMarginC: [one('field(gpu, 193)')],
  maxMarginC: [one('field(gpu, 196)')],
  maxMemoryMarginC: [one('field(gpu, 195)')],
  fanPercents: [
    one('[nvmlDeviceGetFanSpeed_v2(gpu, fan) for fan in range(nvmlDeviceGetNumFans(gpu))]', drift.percent),
  ],
  powerWatts: [one('nvmlDeviceGetPowerUsage(gpu) / 1000', drift.watts)],
  instantPowerWatts: [one('field(gpu, 186) / 1000', drift.watts)],
  averagePowerWatts: [one('field(gpu, 185) / 1000', drift.watts)],
  modulePowerWatts: [one('field(gpu, 186, 1) / 1000', drift.watts)],
  powerLimitWatts: [one('nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000')],
  energyJoules: [one('nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000', drift.none)],

  powerViolationSeconds: seconds(74),
  thermalViolationSeconds: seconds(75),
  syncBoostViolationSeconds: seconds(76),
  boardLimitViolationSeconds: seconds(77),
  lowUtilizationViolationSeconds: seconds(78),
  reliabilityViolationSeconds: seconds(79),
  appClocksViolationSeconds: seconds(80),
  baseClocksViolationSeconds: seconds(81),
  swThermalSlowdownSeconds: seconds(269),
  hwThermalSlowdownSeconds: seconds(270),
  hwPowerBrakeSlowdownSeconds: seconds(271),

  eccMode: mode('nvmlDeviceGetEccMode'),
  eccCorrectedVolatile: ecc('CORRECTED', 'VOLATILE'),
  eccUncorrectedVolatile: ecc('UNCORRECTED', 'VOLATILE'),
  eccCorrectedAggregate: ecc('CORRECTED', 'AGGREGATE'),
  eccUncorrectedAggregate: ecc('UNCORRECTED', 'AGGREGATE'),
  remappedRows: [
    part('correctable', `${remapped}[0]`),
    part('uncorrectable', `${remapped}[1]`),
    part('pending', `${remapped}[2] == 1`),
    part('failed', `${remapped}[3] == 1`),
  ],
  rowRemapHistogram: (['max', 'high', 'partial', 'low', 'none'] as const).map((left) =>
    part(left, `${histogram}.${left}`),
  ),
  retiredPagesSingleBit: counter(29),
  retiredPagesDoubleBit: counter(30),
  recoveryAction: [{ ...one('field(gpu, 230)'), form: recoveryWords }],
  pcieReplays: counter(94),
  pcieCorrectableErrors: counter(173),
  pcieNonFatalErrors: counter(179),
  pcieFatalErrors: counter(180),

  migMode: mode('nvmlDeviceGetMigMode'),
  nvlinks: [
    links('active', 'nvmlDeviceGetNvLinkState(gpu, link) == 1'),
    links('version', 'known(gpu, 166, link)'),
    links('speedMegabytesPerSecond', 'known(gpu, 164, link)'),
  ],
};
