import type { GpuReadings } from '../../src/core/gpu.ts';
import { clocksEventReasonBits } from '../../src/core/power-readings.ts';
import { bits, type Check, camelCase, drift, lowerCase, pciAddress, words } from './check.ts';
import { errorChecks } from './error-checks.ts';
import { linkChecks } from './link-checks.ts';
import { counter, each, inForm, mode, one, part } from './pynvml-check.ts';

const clock = (name: string) => [one(`nvmlDeviceGetClockInfo(gpu, NVML_CLOCK_${name})`, drift.megahertz)];
const maxClock = (name: string) => [one(`nvmlDeviceGetMaxClockInfo(gpu, NVML_CLOCK_${name})`)];
const engine = (name: string) => [one(`nvmlDeviceGet${name}Utilization(gpu)[0]`, drift.percent)];
const threshold = (name: string) => [
  one(`nvmlDeviceGetTemperatureThreshold(gpu, NVML_TEMPERATURE_THRESHOLD_${name})`),
];
const seconds = (id: number) => [one(`field(gpu, ${id}) / 1e9`, drift.none)];
const nvlinkBytes = (all: number, link: number) => [one(`link_bytes(gpu, ${all}, ${link})`, drift.none)];
const inforom = (object: string) => [one(`nvmlDeviceGetInforomVersion(gpu, NVML_INFOROM_${object})`)];
const mig = (name: string, told: string, moves?: number) =>
  each(name, `[${told} for mig in migs(gpu)]`, moves);
const migMemory = "dict(totalBytes='total', reservedBytes='reserved', usedBytes='used', freeBytes='free')";
const migSlices =
  "dict(multiprocessors='multiprocessorCount', gpuInstanceSlices='gpuInstanceSliceCount', computeInstanceSlices='computeInstanceSliceCount')";
const platform = 'place(filled(nvmlDeviceGetPlatformInfo, gpu, c_nvmlPlatformInfo_v2_t()))';
const fabric = 'filled(nvmlDeviceGetGpuFabricInfoV, gpu, c_nvmlGpuFabricInfo_v2_t())';
const memory = 'nvmlDeviceGetMemoryInfo(gpu, nvmlMemory_v2)';
const bar1 = 'nvmlDeviceGetBAR1MemoryInfo(gpu)';

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

const brands = words({
  UNKNOWN: 'Unknown',
  QUADRO: 'Quadro',
  TESLA: 'Tesla',
  GEFORCE: 'GeForce',
  TITAN: 'Titan',
  NVIDIA_VAPPS: 'NVIDIA Virtual Applications',
  NVIDIA_VPC: 'NVIDIA Virtual PC',
  NVIDIA_VCS: 'NVIDIA Virtual Compute Server',
  NVIDIA_VWS: 'NVIDIA RTX Virtual Workstation',
  NVIDIA_VGAMING: 'NVIDIA Cloud Gaming',
  QUADRO_RTX: 'Quadro RTX',
  NVIDIA_RTX: 'NVIDIA RTX',
  GEFORCE_RTX: 'GeForce RTX',
  TITAN_RTX: 'TITAN RTX',
});

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
  name: [one('nvmlDeviceGetName(gpu)')],
  uuid: [one('nvmlDeviceGetUUID(gpu)')],
  serial: [one('nvmlDeviceGetSerial(gpu)')],
  pciAddress: [inForm(pciAddress, one('nvmlDeviceGetPciInfo(gpu).busId'))],
  brand: [inForm(brands, one("named('NVML_BRAND_', nvmlDeviceGetBrand(gpu))"))],
  architecture: [inForm(lowerCase, one("named('NVML_DEVICE_ARCH_', nvmlDeviceGetArchitecture(gpu))"))],
  computeCapability: [one("'{}.{}'.format(*nvmlDeviceGetCudaComputeCapability(gpu))")],
  boardPartNumber: [one('nvmlDeviceGetBoardPartNumber(gpu)')],
  vbiosVersion: [one('nvmlDeviceGetVbiosVersion(gpu)')],
  inforomImageVersion: [one('nvmlDeviceGetInforomImageVersion(gpu)')],
  inforomOemVersion: inforom('OEM'),
  inforomEccVersion: inforom('ECC'),
  inforomPowerVersion: inforom('POWER'),
  gspFirmwareVersion: [one('nvmlDeviceGetGspFirmwareVersion(gpu)')],
  platform: [
    part('ibGuid', `bytes(${platform})[4:20].hex()`),
    part('chassisSerialNumber', `${platform}.chassisSerialNumber`),
    part('slotNumber', `ord(${platform}.slotNumber)`),
    part('trayIndex', `ord(${platform}.trayIndex)`),
    part('hostId', `ord(${platform}.hostId)`),
    part('peerType', `['direct', 'switch'][ord(${platform}.peerType)]`),
    part('moduleId', `ord(${platform}.moduleId)`),
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
  jpegPercent: engine('Jpg'),
  ofaPercent: engine('Ofa'),
  performanceState: [one('nvmlDeviceGetPerformanceState(gpu)', drift.none)],
  graphicsClockMhz: clock('GRAPHICS'),
  smClockMhz: clock('SM'),
  memoryClockMhz: clock('MEM'),
  videoClockMhz: clock('VIDEO'),
  maxGraphicsClockMhz: maxClock('GRAPHICS'),
  maxSmClockMhz: maxClock('SM'),
  maxMemoryClockMhz: maxClock('MEM'),
  maxVideoClockMhz: maxClock('VIDEO'),
  pcieGeneration: [one('nvmlDeviceGetCurrPcieLinkGeneration(gpu)', drift.none)],
  maxPcieGeneration: [one('nvmlDeviceGetMaxPcieLinkGeneration(gpu)')],
  pcieWidth: [one('nvmlDeviceGetCurrPcieLinkWidth(gpu)', drift.none)],
  maxPcieWidth: [one('nvmlDeviceGetMaxPcieLinkWidth(gpu)')],
  pcieTxBytes: counter(197),
  pcieRxBytes: counter(198),
  nvlinkTxBytes: nvlinkBytes(138, 202),
  nvlinkRxBytes: nvlinkBytes(139, 204),

  temperatureC: [one('nvmlDeviceGetTemperature(gpu, NVML_TEMPERATURE_GPU)', drift.celsius)],
  temperatureMarginC: [one('nvmlDeviceGetMarginTemperature(gpu)', drift.celsius)],
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
  defaultPowerLimitWatts: [one('nvmlDeviceGetPowerManagementDefaultLimit(gpu) / 1000')],
  powerLimitRange: [
    part('minWatts', 'nvmlDeviceGetPowerManagementLimitConstraints(gpu)[0] / 1000'),
    part('maxWatts', 'nvmlDeviceGetPowerManagementLimitConstraints(gpu)[1] / 1000'),
  ],
  clocksEventReasons: [
    {
      ...one('nvmlDeviceGetCurrentClocksEventReasons(gpu)', drift.none),
      form: bits(clocksEventReasonBits),
    },
  ],
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

  ...errorChecks,

  computeMode: [inForm(camelCase, one("named('NVML_COMPUTEMODE_', nvmlDeviceGetComputeMode(gpu))"))],
  virtualizationMode: [
    inForm(camelCase, one("named('NVML_GPU_VIRTUALIZATION_MODE_', nvmlDeviceGetVirtualizationMode(gpu))")),
  ],
  persistenceMode: [one('nvmlDeviceGetPersistenceMode(gpu) == 1')],
  migMode: mode('nvmlDeviceGetMigMode'),
  migDevices: [
    mig('uuid', 'nvmlDeviceGetUUID(mig)'),
    mig('name', 'nvmlDeviceGetName(mig)'),
    mig('gpuInstanceId', 'nvmlDeviceGetGpuInstanceId(mig)'),
    mig('computeInstanceId', 'nvmlDeviceGetComputeInstanceId(mig)'),
    mig('memory', `members(nvmlDeviceGetMemoryInfo(mig, nvmlMemory_v2), ${migMemory})`, drift.memory),
    mig('slices', `members(nvmlDeviceGetAttributes(mig), ${migSlices})`),
  ],
  fabric: [
    inForm(camelCase, part('state', `named('NVML_GPU_FABRIC_STATE_', ${fabric}.state)`)),
    part('status', `${fabric}.status`),
    part('cliqueId', `${fabric}.cliqueId`),
    part('clusterUuid', `bytes(${fabric}.clusterUuid).hex()`),
    part('faults', `fabric_faults(${fabric}.healthMask)`),
  ],
  nvlinks: linkChecks,
};
