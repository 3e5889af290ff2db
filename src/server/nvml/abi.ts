// Data only: what we use of nvml.h (NVML 13). Nothing here calls anything.
import koffi from 'koffi';

import { nvmlReturn } from '../../core/nvml-return.ts';

/** nvmlDevice_t. koffi's pointers are bare bigints, so the brand is all that tells a device from any other. */
export type Device = bigint & { readonly brand: 'nvmlDevice_t' };

/** nvmlEventSet_t. */
export type EventSet = bigint & { readonly brand: 'nvmlEventSet_t' };

/** nvmlGpmSample_t: a struct whose only member is a pointer, which travels as that pointer does. */
export type GpmSample = bigint & { readonly brand: 'nvmlGpmSample_t' };

/** The structs we pass, under their names in nvml.h; a test holds size and offsets against nvml-layout.json. */
export const structs = {
  nvmlPciInfo_t: koffi.struct('nvmlPciInfo_t', {
    busIdLegacy: koffi.array('uint8_t', 16),
    domain: 'uint32_t',
    bus: 'uint32_t',
    device: 'uint32_t',
    pciDeviceId: 'uint32_t',
    pciSubSystemId: 'uint32_t',
    busId: koffi.array('uint8_t', 32),
  }),
  nvmlMemory_v2_t: koffi.struct('nvmlMemory_v2_t', {
    version: 'uint32_t',
    total: 'uint64_t',
    reserved: 'uint64_t',
    free: 'uint64_t',
    used: 'uint64_t',
  }),
  nvmlMemory_t: koffi.struct('nvmlMemory_t', { total: 'uint64_t', free: 'uint64_t', used: 'uint64_t' }),
  nvmlBAR1Memory_t: koffi.struct('nvmlBAR1Memory_t', {
    bar1Total: 'uint64_t',
    bar1Free: 'uint64_t',
    bar1Used: 'uint64_t',
  }),
  nvmlProcessInfo_t: koffi.struct('nvmlProcessInfo_t', {
    pid: 'uint32_t',
    usedGpuMemory: 'uint64_t',
    gpuInstanceId: 'uint32_t',
    computeInstanceId: 'uint32_t',
  }),
  nvmlProcessUtilizationSample_t: koffi.struct('nvmlProcessUtilizationSample_t', {
    pid: 'uint32_t',
    timeStamp: 'uint64_t',
    smUtil: 'uint32_t',
    memUtil: 'uint32_t',
    encUtil: 'uint32_t',
    decUtil: 'uint32_t',
  }),
  nvmlEventData_t: koffi.struct('nvmlEventData_t', {
    device: 'void *',
    eventType: 'uint64_t',
    eventData: 'uint64_t',
    gpuInstanceId: 'uint32_t',
    computeInstanceId: 'uint32_t',
  }),
  nvmlUtilization_t: koffi.struct('nvmlUtilization_t', { gpu: 'uint32_t', memory: 'uint32_t' }),
  nvmlMarginTemperature_v1_t: koffi.struct('nvmlMarginTemperature_v1_t', {
    version: 'uint32_t',
    marginTemperature: 'int32_t',
  }),
  nvmlPlatformInfo_v2_t: koffi.struct('nvmlPlatformInfo_v2_t', {
    version: 'uint32_t',
    ibGuid: koffi.array('uint8_t', 16),
    chassisSerialNumber: koffi.array('uint8_t', 16),
    slotNumber: 'uint8_t',
    trayIndex: 'uint8_t',
    hostId: 'uint8_t',
    peerType: 'uint8_t',
    moduleId: 'uint8_t',
  }),
  nvmlGpuFabricInfo_v2_t: koffi.struct('nvmlGpuFabricInfo_v2_t', {
    version: 'uint32_t',
    clusterUuid: koffi.array('uint8_t', 16),
    status: 'int32_t',
    cliqueId: 'uint32_t',
    state: 'uint8_t',
    healthMask: 'uint32_t',
  }),
  nvmlGpuFabricInfo_t: koffi.struct('nvmlGpuFabricInfo_t', {
    clusterUuid: koffi.array('uint8_t', 16),
    status: 'int32_t',
    cliqueId: 'uint32_t',
    state: 'uint8_t',
  }),
  nvmlDeviceAttributes_t: koffi.struct('nvmlDeviceAttributes_t', {
    multiprocessorCount: 'uint32_t',
    sharedCopyEngineCount: 'uint32_t',
    sharedDecoderCount: 'uint32_t',
    sharedEncoderCount: 'uint32_t',
    sharedJpegCount: 'uint32_t',
    sharedOfaCount: 'uint32_t',
    gpuInstanceSliceCount: 'uint32_t',
    computeInstanceSliceCount: 'uint32_t',
    memorySizeMB: 'uint64_t',
  }),
  nvmlConfComputeSystemState_t: koffi.struct('nvmlConfComputeSystemState_t', {
    environment: 'uint32_t',
    ccFeature: 'uint32_t',
    devToolsMode: 'uint32_t',
  }),
  nvmlEccSramErrorStatus_v1_t: koffi.struct('nvmlEccSramErrorStatus_v1_t', {
    version: 'uint32_t',
    aggregateUncParity: 'uint64_t',
    aggregateUncSecDed: 'uint64_t',
    aggregateCor: 'uint64_t',
    volatileUncParity: 'uint64_t',
    volatileUncSecDed: 'uint64_t',
    volatileCor: 'uint64_t',
    aggregateUncBucketL2: 'uint64_t',
    aggregateUncBucketSm: 'uint64_t',
    aggregateUncBucketPcie: 'uint64_t',
    aggregateUncBucketMcu: 'uint64_t',
    aggregateUncBucketOther: 'uint64_t',
    bThresholdExceeded: 'uint32_t',
  }),
  nvmlRowRemapperHistogramValues_t: koffi.struct('nvmlRowRemapperHistogramValues_t', {
    max: 'uint32_t',
    high: 'uint32_t',
    partial: 'uint32_t',
    low: 'uint32_t',
    none: 'uint32_t',
  }),
  nvmlRepairStatus_v1_t: koffi.struct('nvmlRepairStatus_v1_t', {
    version: 'uint32_t',
    bChannelRepairPending: 'uint32_t',
    bTpcRepairPending: 'uint32_t',
  }),
  nvmlUnrepairableMemoryStatus_v1_t: koffi.struct('nvmlUnrepairableMemoryStatus_v1_t', {
    bUnrepairableMemory: 'uint32_t',
  }),
  nvmlGpmSupport_t: koffi.struct('nvmlGpmSupport_t', { version: 'uint32_t', isSupportedDevice: 'uint32_t' }),
  nvmlGpmMetric_t: koffi.struct('nvmlGpmMetric_t', {
    metricId: 'uint32_t',
    nvmlReturn: 'int32_t',
    value: 'double',
    metricInfo: koffi.array('uint8_t', 24),
  }),
  nvmlGpmMetricsGet_t: koffi.struct('nvmlGpmMetricsGet_t', {
    version: 'uint32_t',
    numMetrics: 'uint32_t',
    sample1: 'void *',
    sample2: 'void *',
    metrics: koffi.array('uint8_t', 333 * 40),
  }),
  nvmlFieldValue_t: koffi.struct('nvmlFieldValue_t', {
    fieldId: 'uint32_t',
    scopeId: 'uint32_t',
    timestamp: 'int64_t',
    latencyUsec: 'int64_t',
    valueType: 'int32_t',
    nvmlReturn: 'int32_t',
    value: koffi.array('uint8_t', 8),
  }),
};

/** NVML_STRUCT_VERSION: the struct's size, with its revision in the top byte. */
function structVersion(struct: keyof typeof structs, revision: number): number {
  return koffi.sizeof(structs[struct]) | (revision << 24);
}
export const memoryV2Version = structVersion('nvmlMemory_v2_t', 2);
export const marginTemperatureVersion = structVersion('nvmlMarginTemperature_v1_t', 1);
export const platformInfoV2Version = structVersion('nvmlPlatformInfo_v2_t', 2);
/** Of the same layout. */
export const platformInfoV1Version = structVersion('nvmlPlatformInfo_v2_t', 1);
export const fabricInfoV2Version = structVersion('nvmlGpuFabricInfo_v2_t', 2);
export const sramEccVersion = structVersion('nvmlEccSramErrorStatus_v1_t', 1);
export const repairStatusVersion = structVersion('nvmlRepairStatus_v1_t', 1);
/** NVML_GPM_METRICS_GET_VERSION and NVML_GPM_SUPPORT_VERSION: the revision alone. */
export const gpmVersion = 1;

export interface PciInfo {
  domain: number;
  bus: number;
  device: number;
}
export interface MemoryV1 {
  total: number;
  free: number;
  used: number;
}
export interface MemoryV2 extends MemoryV1 {
  version: number;
  reserved: number;
}
export interface UtilizationRates {
  gpu: number;
  memory: number;
}
/** By NVML_FI_DEV_… of nvml.h. Those that are not of the whole GPU need a scope. */
export const fieldIds = {
  RETIRED_SBE: 29,
  RETIRED_DBE: 30,
  PERF_POLICY_POWER: 74,
  PERF_POLICY_THERMAL: 75,
  PERF_POLICY_SYNC_BOOST: 76,
  PERF_POLICY_BOARD_LIMIT: 77,
  PERF_POLICY_LOW_UTILIZATION: 78,
  PERF_POLICY_RELIABILITY: 79,
  PERF_POLICY_TOTAL_APP_CLOCKS: 80,
  PERF_POLICY_TOTAL_BASE_CLOCKS: 81,
  MEMORY_TEMP: 82,
  TOTAL_ENERGY_CONSUMPTION: 83,
  NVLINK_LINK_COUNT: 91,
  PCIE_REPLAY_COUNTER: 94,
  NVLINK_THROUGHPUT_DATA_TX: 138,
  NVLINK_THROUGHPUT_DATA_RX: 139,
  PCIE_COUNT_CORRECTABLE_ERRORS: 173,
  PCIE_COUNT_NON_FATAL_ERROR: 179,
  PCIE_COUNT_FATAL_ERROR: 180,
  POWER_AVERAGE: 185,
  POWER_INSTANT: 186,
  TEMPERATURE_SHUTDOWN_TLIMIT: 193,
  TEMPERATURE_SLOWDOWN_TLIMIT: 194,
  TEMPERATURE_MEM_MAX_TLIMIT: 195,
  TEMPERATURE_GPU_MAX_TLIMIT: 196,
  PCIE_COUNT_TX_BYTES: 197,
  PCIE_COUNT_RX_BYTES: 198,
  GET_GPU_RECOVERY_ACTION: 230,
  CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN: 269,
  CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN: 270,
  CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN: 271,
} as const;
/** nvmlEventType*. */
export const eventTypes = { XID_CRITICAL_ERROR: 0x8 } as const;
/** What stands for no MIG instance. */
export const noInstance = 0xffff_ffff;
/** NVML_FI_DEV_NVLINK_COUNT_…, of one link each: NVLink 5 counts here what older ones count in KiB for all links. */
export const linkByteFieldIds = { XMIT_BYTES: 202, RCV_BYTES: 204 } as const;
/** NVML_FI_DEV_NVLINK_…, of one link each: the scope is its number. */
export const linkFieldIds = {
  GET_SPEED: 164,
  GET_VERSION: 166,
  ERROR_DL_REPLAY: 161,
  ERROR_DL_RECOVERY: 162,
  ERROR_DL_CRC: 163,
  COUNT_MALFORMED_PACKET_ERRORS: 206,
  COUNT_BUFFER_OVERRUN_ERRORS: 207,
  COUNT_RCV_ERRORS: 208,
  COUNT_RCV_REMOTE_ERRORS: 209,
  COUNT_RCV_GENERAL_ERRORS: 210,
  COUNT_LOCAL_LINK_INTEGRITY_ERRORS: 211,
  COUNT_XMIT_DISCARDS: 212,
  COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS: 213,
  COUNT_LINK_RECOVERY_FAILED_EVENTS: 214,
  COUNT_EFFECTIVE_ERRORS: 219,
  COUNT_EFFECTIVE_BER: 220,
  COUNT_SYMBOL_ERRORS: 221,
  COUNT_SYMBOL_BER: 222,
} as const;
/** nvmlNvLinkErrorCounter_t, up to NVLink 3. */
export const linkErrorCounters = {
  DL_REPLAY: 0,
  DL_RECOVERY: 1,
  DL_CRC_FLIT: 2,
  DL_CRC_DATA: 3,
  DL_ECC_DATA: 4,
} as const;
export const powerScopes = { GPU: 0, MODULE: 1 } as const;
/** The scope of NVLink fields that stands for all links together. */
export const allLinks = 0xffff_ffff;
export const temperatureSensors = { GPU: 0 } as const;
export const temperatureThresholds = { SHUTDOWN: 0, SLOWDOWN: 1, MEM_MAX: 2, GPU_MAX: 3 } as const;
export const clockTypes = { GRAPHICS: 0, SM: 1, MEM: 2, VIDEO: 3 } as const;
export const inforomObjects = { OEM: 0, ECC: 1, POWER: 2 } as const;
export const eccErrors = { CORRECTED: 0, UNCORRECTED: 1 } as const;
export const eccCounters = { VOLATILE: 0, AGGREGATE: 1 } as const;
/** nvmlInitWithFlags: a node without GPUs is a normal state, not an error. */
export const initFlags = { NO_GPUS: 1 } as const;

type Out<T> = [T];
/**
 * Room for a whole number that a call tells, low half first: 64 bits, into which one of 32 bits is written as well. koffi
 * passes it as it is, in half of the time of an array.
 */
type Whole = Uint32Array;

/** The driver calls we make. Each returns an nvmlReturn_t; results land in the out arguments. */
export interface Nvml {
  initWithFlags(flags: number): number;
  shutdown(): number;
  systemDriverVersion(version: Uint8Array, length: number): number;
  systemCudaDriverVersion(version: Whole): number;
  systemNvmlVersion(version: Uint8Array, length: number): number;
  systemConfComputeState(state: Uint8Array): number;
  deviceCount(count: Whole): number;
  deviceByIndex(index: number, device: Out<Device | null>): number;
  name(device: Device, name: Uint8Array, length: number): number;
  uuid(device: Device, uuid: Uint8Array, length: number): number;
  serial(device: Device, serial: Uint8Array, length: number): number;
  brand(device: Device, brand: Whole): number;
  architecture(device: Device, architecture: Whole): number;
  computeCapability(device: Device, major: Whole, minor: Whole): number;
  boardPartNumber(device: Device, number: Uint8Array, length: number): number;
  vbiosVersion(device: Device, version: Uint8Array, length: number): number;
  inforomImageVersion(device: Device, version: Uint8Array, length: number): number;
  inforomVersion(device: Device, object: number, version: Uint8Array, length: number): number;
  validateInforom(device: Device): number;
  gspFirmwareVersion(device: Device, version: Uint8Array): number;
  moduleId(device: Device, id: Whole): number;
  platformInfo(device: Device, info: Uint8Array): number;
  numaNodeId(device: Device, node: Whole): number;
  memoryAffinity(device: Device, words: number, nodes: Uint8Array, scope: number): number;
  cpuAffinity(device: Device, words: number, cpus: Uint8Array): number;
  computeMode(device: Device, mode: Whole): number;
  virtualizationMode(device: Device, mode: Whole): number;
  maxMigDeviceCount(device: Device, count: Whole): number;
  migDeviceByIndex(device: Device, index: number, mig: Out<Device | null>): number;
  gpuInstanceId(mig: Device, id: Whole): number;
  computeInstanceId(mig: Device, id: Whole): number;
  attributes(mig: Device, attributes: Uint8Array): number;
  fabricInfo(device: Device, info: Uint8Array): number;
  /** Of R535 and older, without health. */
  olderFabricInfo(device: Device, info: Uint8Array): number;
  bar1MemoryInfo(device: Device, memory: Uint8Array): number;
  jpgUtilization(device: Device, percent: Whole, microseconds: Whole): number;
  ofaUtilization(device: Device, percent: Whole, microseconds: Whole): number;
  maxClockInfo(device: Device, type: number, megahertz: Whole): number;
  pcieGeneration(device: Device, generation: Whole): number;
  maxPcieGeneration(device: Device, generation: Whole): number;
  pcieWidth(device: Device, lanes: Whole): number;
  maxPcieWidth(device: Device, lanes: Whole): number;
  marginTemperature(device: Device, margin: Uint8Array): number;
  numFans(device: Device, count: Whole): number;
  fanSpeed(device: Device, fan: number, percent: Whole): number;
  memoryErrorCounter(device: Device, error: number, counter: number, location: number, count: Whole): number;
  sramEccErrorStatus(device: Device, status: Uint8Array): number;
  rowRemapperHistogram(device: Device, histogram: Uint8Array): number;
  repairStatus(device: Device, status: Uint8Array): number;
  unrepairableMemory(device: Device, status: Uint8Array): number;
  pciInfo(device: Device, pci: PciInfo): number;
  minorNumber(device: Device, minor: Whole): number;
  memoryInfo(device: Device, memory: MemoryV2): number;
  /** Of drivers before R510. */
  olderMemoryInfo(device: Device, memory: MemoryV1): number;
  utilizationRates(device: Device, utilization: UtilizationRates): number;
  encoderUtilization(device: Device, percent: Whole, microseconds: Whole): number;
  decoderUtilization(device: Device, percent: Whole, microseconds: Whole): number;
  temperature(device: Device, sensor: number, degrees: Whole): number;
  temperatureThreshold(device: Device, threshold: number, degrees: Whole): number;
  powerUsage(device: Device, milliwatts: Whole): number;
  enforcedPowerLimit(device: Device, milliwatts: Whole): number;
  defaultPowerLimit(device: Device, milliwatts: Whole): number;
  powerLimitConstraints(device: Device, min: Whole, max: Whole): number;
  clockInfo(device: Device, type: number, megahertz: Whole): number;
  clocksEventReasons(device: Device, bits: Whole): number;
  performanceState(device: Device, state: Whole): number;
  eccMode(device: Device, current: Whole, pending: Whole): number;
  totalEccErrors(device: Device, error: number, counter: number, count: Whole): number;
  remappedRows(
    device: Device,
    correctable: Whole,
    uncorrectable: Whole,
    pending: Whole,
    failed: Whole,
  ): number;
  retiredPagesPending(device: Device, pending: Whole): number;
  nvlinkState(device: Device, link: number, active: Whole): number;
  nvlinkRemoteType(device: Device, link: number, type: Whole): number;
  nvlinkRemotePci(device: Device, link: number, pci: PciInfo): number;
  nvlinkErrorCounter(device: Device, link: number, counter: number, count: Whole): number;
  commonAncestor(device: Device, other: Device, level: Whole): number;
  p2pStatus(device: Device, other: Device, capability: number, status: Whole): number;
  /** @param count in: room in `records`; out: how many there are */
  computeProcesses(device: Device, count: Out<number>, records: Uint8Array | null): number;
  graphicsProcesses(device: Device, count: Out<number>, records: Uint8Array | null): number;
  mpsProcesses(device: Device, count: Out<number>, records: Uint8Array | null): number;
  /** @param lastSeen microseconds: only samples that are newer are given */
  processUtilization(
    device: Device,
    samples: Uint8Array | null,
    count: Out<number>,
    lastSeen: number | bigint,
  ): number;
  gpmSupport(device: Device, support: Uint8Array): number;
  gpmSampleAlloc(sample: Out<GpmSample | null>): number;
  gpmSampleGet(device: Device, sample: GpmSample): number;
  gpmMigSampleGet(device: Device, gpuInstance: number, sample: GpmSample): number;
  gpmMetricsGet(metrics: Uint8Array): number;
  gpmSampleFree(sample: GpmSample): number;
  eventSetCreate(set: Out<EventSet | null>): number;
  eventSetFree(set: EventSet): number;
  supportedEventTypes(device: Device, types: Whole): number;
  registerEvents(device: Device, types: number, set: EventSet): number;
  /** Blocks until there is an event, TIMEOUT after so many milliseconds. */
  eventSetWait(set: EventSet, data: Uint8Array, milliseconds: number): number;
  /** @param values `count` structs of nvmlFieldValue_t */
  fieldValues(device: Device, count: number, values: Uint8Array): number;
  migMode(device: Device, current: Whole, pending: Whole): number;
  persistenceMode(device: Device, mode: Whole): number;
}

const u32 = '_Out_ uint32_t *';

/**
 * Newest first: the first that the library exports is bound. Only versioned names where there are versions: an
 * unversioned name is the oldest ABI, with other structs.
 */
export const prototypes: Readonly<Record<keyof Nvml, readonly string[]>> = {
  initWithFlags: ['int nvmlInitWithFlags(uint32_t flags)'],
  shutdown: ['int nvmlShutdown()'],
  systemDriverVersion: ['int nvmlSystemGetDriverVersion(void *version, uint32_t length)'],
  systemCudaDriverVersion: ['int nvmlSystemGetCudaDriverVersion(_Out_ int32_t *version)'],
  systemNvmlVersion: ['int nvmlSystemGetNVMLVersion(void *version, uint32_t length)'],
  systemConfComputeState: ['int nvmlSystemGetConfComputeState(void *state)'],
  deviceCount: [`int nvmlDeviceGetCount_v2(${u32}count)`],
  deviceByIndex: ['int nvmlDeviceGetHandleByIndex_v2(uint32_t index, _Out_ void **device)'],
  name: ['int nvmlDeviceGetName(void *device, void *name, uint32_t length)'],
  uuid: ['int nvmlDeviceGetUUID(void *device, void *uuid, uint32_t length)'],
  serial: ['int nvmlDeviceGetSerial(void *device, void *serial, uint32_t length)'],
  brand: ['int nvmlDeviceGetBrand(void *device, _Out_ int *brand)'],
  architecture: [`int nvmlDeviceGetArchitecture(void *device, ${u32}architecture)`],
  computeCapability: [
    'int nvmlDeviceGetCudaComputeCapability(void *device, _Out_ int *major, _Out_ int *minor)',
  ],
  boardPartNumber: ['int nvmlDeviceGetBoardPartNumber(void *device, void *number, uint32_t length)'],
  vbiosVersion: ['int nvmlDeviceGetVbiosVersion(void *device, void *version, uint32_t length)'],
  inforomImageVersion: ['int nvmlDeviceGetInforomImageVersion(void *device, void *version, uint32_t length)'],
  inforomVersion: [
    'int nvmlDeviceGetInforomVersion(void *device, int object, void *version, uint32_t length)',
  ],
  validateInforom: ['int nvmlDeviceValidateInforom(void *device)'],
  gspFirmwareVersion: ['int nvmlDeviceGetGspFirmwareVersion(void *device, void *version)'],
  moduleId: [`int nvmlDeviceGetModuleId(void *device, ${u32}id)`],
  platformInfo: ['int nvmlDeviceGetPlatformInfo(void *device, void *info)'],
  numaNodeId: [`int nvmlDeviceGetNumaNodeId(void *device, ${u32}node)`],
  memoryAffinity: [
    'int nvmlDeviceGetMemoryAffinity(void *device, uint32_t words, void *nodes, uint32_t scope)',
  ],
  cpuAffinity: ['int nvmlDeviceGetCpuAffinity(void *device, uint32_t words, void *cpus)'],
  computeMode: ['int nvmlDeviceGetComputeMode(void *device, _Out_ int *mode)'],
  virtualizationMode: ['int nvmlDeviceGetVirtualizationMode(void *device, _Out_ int *mode)'],
  maxMigDeviceCount: [`int nvmlDeviceGetMaxMigDeviceCount(void *device, ${u32}count)`],
  migDeviceByIndex: [
    'int nvmlDeviceGetMigDeviceHandleByIndex(void *device, uint32_t index, _Out_ void **mig)',
  ],
  gpuInstanceId: [`int nvmlDeviceGetGpuInstanceId(void *mig, ${u32}id)`],
  computeInstanceId: [`int nvmlDeviceGetComputeInstanceId(void *mig, ${u32}id)`],
  attributes: ['int nvmlDeviceGetAttributes_v2(void *mig, void *attributes)'],
  fabricInfo: ['int nvmlDeviceGetGpuFabricInfoV(void *device, void *info)'],
  olderFabricInfo: ['int nvmlDeviceGetGpuFabricInfo(void *device, void *info)'],
  bar1MemoryInfo: ['int nvmlDeviceGetBAR1MemoryInfo(void *device, void *memory)'],
  jpgUtilization: [`int nvmlDeviceGetJpgUtilization(void *device, ${u32}percent, ${u32}microseconds)`],
  ofaUtilization: [`int nvmlDeviceGetOfaUtilization(void *device, ${u32}percent, ${u32}microseconds)`],
  maxClockInfo: [`int nvmlDeviceGetMaxClockInfo(void *device, int type, ${u32}megahertz)`],
  pcieGeneration: [`int nvmlDeviceGetCurrPcieLinkGeneration(void *device, ${u32}generation)`],
  maxPcieGeneration: [`int nvmlDeviceGetMaxPcieLinkGeneration(void *device, ${u32}generation)`],
  pcieWidth: [`int nvmlDeviceGetCurrPcieLinkWidth(void *device, ${u32}lanes)`],
  maxPcieWidth: [`int nvmlDeviceGetMaxPcieLinkWidth(void *device, ${u32}lanes)`],
  marginTemperature: ['int nvmlDeviceGetMarginTemperature(void *device, void *margin)'],
  numFans: [`int nvmlDeviceGetNumFans(void *device, ${u32}count)`],
  fanSpeed: [`int nvmlDeviceGetFanSpeed_v2(void *device, uint32_t fan, ${u32}percent)`],
  memoryErrorCounter: [
    'int nvmlDeviceGetMemoryErrorCounter(void *device, int error, int counter, int location, _Out_ uint64_t *count)',
  ],
  sramEccErrorStatus: ['int nvmlDeviceGetSramEccErrorStatus(void *device, void *status)'],
  rowRemapperHistogram: ['int nvmlDeviceGetRowRemapperHistogram(void *device, void *histogram)'],
  repairStatus: ['int nvmlDeviceGetRepairStatus(void *device, void *status)'],
  unrepairableMemory: ['int nvmlDeviceGetUnrepairableMemoryFlag_v1(void *device, void *status)'],
  pciInfo: ['int nvmlDeviceGetPciInfo_v3(void *device, _Out_ nvmlPciInfo_t *pci)'],
  minorNumber: [`int nvmlDeviceGetMinorNumber(void *device, ${u32}minor)`],
  memoryInfo: ['int nvmlDeviceGetMemoryInfo_v2(void *device, _Inout_ nvmlMemory_v2_t *memory)'],
  olderMemoryInfo: ['int nvmlDeviceGetMemoryInfo(void *device, _Out_ nvmlMemory_t *memory)'],
  utilizationRates: ['int nvmlDeviceGetUtilizationRates(void *device, _Out_ nvmlUtilization_t *rates)'],
  encoderUtilization: [
    `int nvmlDeviceGetEncoderUtilization(void *device, ${u32}percent, ${u32}microseconds)`,
  ],
  decoderUtilization: [
    `int nvmlDeviceGetDecoderUtilization(void *device, ${u32}percent, ${u32}microseconds)`,
  ],
  temperature: [`int nvmlDeviceGetTemperature(void *device, int sensor, ${u32}degrees)`],
  temperatureThreshold: [`int nvmlDeviceGetTemperatureThreshold(void *device, int threshold, ${u32}degrees)`],
  powerUsage: [`int nvmlDeviceGetPowerUsage(void *device, ${u32}milliwatts)`],
  enforcedPowerLimit: [`int nvmlDeviceGetEnforcedPowerLimit(void *device, ${u32}milliwatts)`],
  defaultPowerLimit: [`int nvmlDeviceGetPowerManagementDefaultLimit(void *device, ${u32}milliwatts)`],
  powerLimitConstraints: [
    `int nvmlDeviceGetPowerManagementLimitConstraints(void *device, ${u32}min, ${u32}max)`,
  ],
  clockInfo: [`int nvmlDeviceGetClockInfo(void *device, int type, ${u32}megahertz)`],
  clocksEventReasons: [
    'int nvmlDeviceGetCurrentClocksEventReasons(void *device, _Out_ uint64_t *bits)',
    'int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, _Out_ uint64_t *bits)',
  ],
  performanceState: ['int nvmlDeviceGetPerformanceState(void *device, _Out_ int *state)'],
  eccMode: ['int nvmlDeviceGetEccMode(void *device, _Out_ int *current, _Out_ int *pending)'],
  totalEccErrors: [
    'int nvmlDeviceGetTotalEccErrors(void *device, int error, int counter, _Out_ uint64_t *count)',
  ],
  remappedRows: [
    `int nvmlDeviceGetRemappedRows(void *device, ${u32}correctable, ${u32}uncorrectable, ${u32}pending, ${u32}failed)`,
  ],
  gpmSupport: ['int nvmlGpmQueryDeviceSupport(void *device, void *support)'],
  gpmSampleAlloc: ['int nvmlGpmSampleAlloc(_Out_ void **sample)'],
  gpmSampleGet: ['int nvmlGpmSampleGet(void *device, void *sample)'],
  gpmMigSampleGet: ['int nvmlGpmMigSampleGet(void *device, uint32_t gpuInstance, void *sample)'],
  gpmMetricsGet: ['int nvmlGpmMetricsGet(void *metrics)'],
  gpmSampleFree: ['int nvmlGpmSampleFree(void *sample)'],
  eventSetCreate: ['int nvmlEventSetCreate(_Out_ void **set)'],
  eventSetFree: ['int nvmlEventSetFree(void *set)'],
  supportedEventTypes: ['int nvmlDeviceGetSupportedEventTypes(void *device, _Out_ uint64_t *types)'],
  registerEvents: ['int nvmlDeviceRegisterEvents(void *device, uint64_t types, void *set)'],
  eventSetWait: ['int nvmlEventSetWait_v2(void *set, void *data, uint32_t milliseconds)'],
  computeProcesses: [
    'int nvmlDeviceGetComputeRunningProcesses_v3(void *device, _Inout_ uint32_t *count, void *records)',
    'int nvmlDeviceGetComputeRunningProcesses_v2(void *device, _Inout_ uint32_t *count, void *records)',
  ],
  graphicsProcesses: [
    'int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, _Inout_ uint32_t *count, void *records)',
    'int nvmlDeviceGetGraphicsRunningProcesses_v2(void *device, _Inout_ uint32_t *count, void *records)',
  ],
  mpsProcesses: [
    'int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *device, _Inout_ uint32_t *count, void *records)',
    'int nvmlDeviceGetMPSComputeRunningProcesses_v2(void *device, _Inout_ uint32_t *count, void *records)',
  ],
  processUtilization: [
    'int nvmlDeviceGetProcessUtilization(void *device, void *samples, _Inout_ uint32_t *count, uint64_t lastSeen)',
  ],
  nvlinkState: ['int nvmlDeviceGetNvLinkState(void *device, uint32_t link, _Out_ int *active)'],
  nvlinkRemoteType: ['int nvmlDeviceGetNvLinkRemoteDeviceType(void *device, uint32_t link, _Out_ int *type)'],
  nvlinkRemotePci: [
    'int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *device, uint32_t link, _Out_ nvmlPciInfo_t *pci)',
  ],
  nvlinkErrorCounter: [
    'int nvmlDeviceGetNvLinkErrorCounter(void *device, uint32_t link, int counter, _Out_ uint64_t *count)',
  ],
  commonAncestor: ['int nvmlDeviceGetTopologyCommonAncestor(void *device, void *other, _Out_ int *level)'],
  p2pStatus: ['int nvmlDeviceGetP2PStatus(void *device, void *other, int capability, _Out_ int *status)'],
  retiredPagesPending: ['int nvmlDeviceGetRetiredPagesPendingStatus(void *device, _Out_ int *pending)'],
  fieldValues: ['int nvmlDeviceGetFieldValues(void *device, int count, void *values)'],
  migMode: [`int nvmlDeviceGetMigMode(void *device, ${u32}current, ${u32}pending)`],
  persistenceMode: ['int nvmlDeviceGetPersistenceMode(void *device, _Out_ int *mode)'],
};

/** Where a driver's library may be when the loader's own search does not find it: host mounts, by architecture. */
export const libraryCandidates = [
  'libnvidia-ml.so.1',
  '/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1',
  '/usr/lib64/libnvidia-ml.so.1',
  '/usr/lib/libnvidia-ml.so.1',
  '/usr/local/nvidia/lib64/libnvidia-ml.so.1',
];

/** Where the chart's hostDriver mode mounts the root of the node's driver, or of the node. */
export const hostDriverRoot = '/run/nvidia/driver';

/** In it: Debian's and Red Hat's folders, GKE's COS, the GPU operator's driver container, Talos. */
export const hostDriverCandidates = [
  'usr/lib/x86_64-linux-gnu',
  'usr/lib/aarch64-linux-gnu',
  'usr/lib64',
  'lib64',
  'usr/lib',
  'home/kubernetes/bin/nvidia/lib64',
  'run/nvidia/driver/usr/lib/x86_64-linux-gnu',
  'run/nvidia/driver/usr/lib/aarch64-linux-gnu',
  'run/nvidia/driver/usr/lib64',
  'usr/local/glibc/usr/lib',
].map((folder) => `${hostDriverRoot}/${folder}/libnvidia-ml.so.1`);

/** What a call returns whose symbol the library lacks: an old driver and a GPU without the feature take one path. */
export const absentCall = (): number => nvmlReturn.FUNCTION_NOT_FOUND;
