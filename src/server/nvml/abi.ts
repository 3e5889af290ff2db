// Data only: what we use of nvml.h (NVML 13). Nothing here calls anything.
import koffi from 'koffi';

import { nvmlReturn } from '../../core/nvml-return.ts';

/** nvmlDevice_t. koffi's pointers are bare bigints, so the brand is all that tells a device from any other. */
export type Device = bigint & { readonly brand: 'nvmlDevice_t' };

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
  nvmlUtilization_t: koffi.struct('nvmlUtilization_t', { gpu: 'uint32_t', memory: 'uint32_t' }),
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

export interface PciInfo {
  domain: number;
  bus: number;
  device: number;
}
export interface MemoryV2 {
  version: number;
  total: number;
  reserved: number;
  free: number;
  used: number;
}
export interface UtilizationRates {
  gpu: number;
  memory: number;
}
/** `value` is a union of 8 bytes, to be read as `valueType` says. */
export interface FieldValue {
  fieldId: number;
  scopeId: number;
  timestamp: number;
  latencyUsec: number;
  valueType: number;
  nvmlReturn: number;
  value: Uint8Array | number[];
}

export const fieldIds = {
  MEMORY_TEMP: 82,
  TOTAL_ENERGY_CONSUMPTION: 83,
  PCIE_REPLAY_COUNTER: 94,
  GPU_RECOVERY_ACTION: 230,
} as const;
export const temperatureSensors = { GPU: 0 } as const;
export const temperatureThresholds = { SHUTDOWN: 0, SLOWDOWN: 1 } as const;
export const clockTypes = { GRAPHICS: 0, SM: 1, MEM: 2 } as const;
export const eccErrors = { CORRECTED: 0, UNCORRECTED: 1 } as const;
export const eccCounters = { VOLATILE: 0, AGGREGATE: 1 } as const;
/** nvmlInitWithFlags: a node without GPUs is a normal state, not an error. */
export const initFlags = { NO_GPUS: 1 } as const;

type Out<T> = [T];

/** The driver calls we make. Each returns an nvmlReturn_t; results land in the out arguments. */
export interface Nvml {
  initWithFlags(flags: number): number;
  shutdown(): number;
  systemDriverVersion(version: Uint8Array, length: number): number;
  systemCudaDriverVersion(version: Out<number>): number;
  deviceCount(count: Out<number>): number;
  deviceByIndex(index: number, device: Out<Device | null>): number;
  name(device: Device, name: Uint8Array, length: number): number;
  uuid(device: Device, uuid: Uint8Array, length: number): number;
  serial(device: Device, serial: Uint8Array, length: number): number;
  pciInfo(device: Device, pci: PciInfo): number;
  minorNumber(device: Device, minor: Out<number>): number;
  memoryInfo(device: Device, memory: MemoryV2): number;
  utilizationRates(device: Device, utilization: UtilizationRates): number;
  encoderUtilization(device: Device, percent: Out<number>, microseconds: Out<number>): number;
  decoderUtilization(device: Device, percent: Out<number>, microseconds: Out<number>): number;
  temperature(device: Device, sensor: number, degrees: Out<number>): number;
  temperatureThreshold(device: Device, threshold: number, degrees: Out<number>): number;
  powerUsage(device: Device, milliwatts: Out<number>): number;
  enforcedPowerLimit(device: Device, milliwatts: Out<number>): number;
  defaultPowerLimit(device: Device, milliwatts: Out<number>): number;
  powerLimitConstraints(device: Device, min: Out<number>, max: Out<number>): number;
  clockInfo(device: Device, type: number, megahertz: Out<number>): number;
  clocksEventReasons(device: Device, bits: Out<number>): number;
  performanceState(device: Device, state: Out<number>): number;
  eccMode(device: Device, current: Out<number>, pending: Out<number>): number;
  totalEccErrors(device: Device, error: number, counter: number, count: Out<number>): number;
  remappedRows(
    device: Device,
    correctable: Out<number>,
    uncorrectable: Out<number>,
    pending: Out<number>,
    failed: Out<number>,
  ): number;
  retiredPagesPending(device: Device, pending: Out<number>): number;
  fieldValues(device: Device, count: number, values: FieldValue[]): number;
  migMode(device: Device, current: Out<number>, pending: Out<number>): number;
  persistenceMode(device: Device, mode: Out<number>): number;
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
  deviceCount: [`int nvmlDeviceGetCount_v2(${u32}count)`],
  deviceByIndex: ['int nvmlDeviceGetHandleByIndex_v2(uint32_t index, _Out_ void **device)'],
  name: ['int nvmlDeviceGetName(void *device, void *name, uint32_t length)'],
  uuid: ['int nvmlDeviceGetUUID(void *device, void *uuid, uint32_t length)'],
  serial: ['int nvmlDeviceGetSerial(void *device, void *serial, uint32_t length)'],
  pciInfo: ['int nvmlDeviceGetPciInfo_v3(void *device, _Out_ nvmlPciInfo_t *pci)'],
  minorNumber: [`int nvmlDeviceGetMinorNumber(void *device, ${u32}minor)`],
  memoryInfo: ['int nvmlDeviceGetMemoryInfo_v2(void *device, _Inout_ nvmlMemory_v2_t *memory)'],
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
  retiredPagesPending: ['int nvmlDeviceGetRetiredPagesPendingStatus(void *device, _Out_ int *pending)'],
  fieldValues: ['int nvmlDeviceGetFieldValues(void *device, int count, _Inout_ nvmlFieldValue_t *values)'],
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
