import type { Fabric, MigDevice, ModeReadings } from '../../core/mode-readings.ts';
import { nvmlReturn } from '../../core/nvml-return.ts';
import { map, type Reading } from '../../core/reading.ts';
import { type Device, fabricInfoV2Version, type Nvml, structs } from './abi.ts';
import { memoryOf } from './load-readers.ts';
import { read, readNumber, readPair, readStruct, readText } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

export function modeReaders(nvml: Nvml, device: Device): ReadersOf<ModeReadings> {
  const migMode = () => readPair((current, pending) => nvml.migMode(device, current, pending), mode);
  let knownMigMode: ReturnType<typeof migMode> | undefined;
  return {
    computeMode: () =>
      map(
        readNumber((out) => nvml.computeMode(device, out)),
        (value) => computeModes[value] ?? `unknown${value}`,
      ),
    virtualizationMode: () =>
      map(
        readNumber((out) => nvml.virtualizationMode(device, out)),
        (value) => virtualizationModes[value] ?? `unknown${value}`,
      ),
    persistenceMode: () =>
      map(
        readNumber((out) => nvml.persistenceMode(device, out)),
        (on) => on !== 0,
      ),
    migMode: () => {
      knownMigMode = migMode();
      return knownMigMode;
    },
    migDevices: () => {
      const known = knownMigMode ?? migMode();
      if ('missing' in known) return known;
      return known.value.current ? migDevices(nvml, device) : { value: [] };
    },
    fabric: () => fabric(nvml, device),
  };
}

/** By nvmlComputeMode_t. */
const computeModes = ['default', 'exclusiveThread', 'prohibited', 'exclusiveProcess'];
/** By nvmlGpuVirtualizationMode_t. */
const virtualizationModes = ['none', 'passthrough', 'vgpu', 'hostVgpu', 'hostVsga'];

export function mode(current: number, pending: number): { current: boolean; pending: boolean } {
  return { current: current !== 0, pending: pending !== 0 };
}

function migDevices(nvml: Nvml, device: Device): Reading<readonly MigDevice[]> {
  return map(migHandles(nvml, device), (found) => found.map(({ mig, index }) => migDevice(nvml, mig, index)));
}

/** The MIG GPU instances with a device on them, each once; none where that cannot be told. */
export function gpuInstancesOf(nvml: Nvml, device: Device): number[] {
  const found = migHandles(nvml, device);
  if ('missing' in found) return [];
  const ids = found.value.flatMap(({ mig }) => {
    const id = readNumber((out) => nvml.gpuInstanceId(mig, out));
    return 'missing' in id ? [] : id.value;
  });
  return [...new Set(ids)];
}

interface MigHandle {
  readonly mig: Device;
  readonly index: number;
}

/** Places without a device answer NOT_FOUND, and devices may stand behind them. */
function migHandles(nvml: Nvml, device: Device): Reading<readonly MigHandle[]> {
  const most = readNumber((out) => nvml.maxMigDeviceCount(device, out));
  if ('missing' in most) return most;
  const found: MigHandle[] = [];
  for (let index = 0; index < most.value; index++) {
    const out: [Device | null] = [null];
    let free = false;
    const mig = read(
      out,
      (handle) => {
        const code = nvml.migDeviceByIndex(device, index, handle);
        free = code === nvmlReturn.NOT_FOUND || code === nvmlReturn.INVALID_ARGUMENT;
        return code;
      },
      ([handle]) => handle as Device, // NVML fills it on success
    );
    if (free) continue;
    if ('missing' in mig) return mig;
    found.push({ mig: mig.value, index });
  }
  return { value: found };
}

interface DeviceAttributes {
  readonly multiprocessorCount: number;
  readonly gpuInstanceSliceCount: number;
  readonly computeInstanceSliceCount: number;
}

function migDevice(nvml: Nvml, mig: Device, index: number): MigDevice {
  return {
    index,
    uuid: readText(96, (uuid, length) => nvml.uuid(mig, uuid, length)),
    name: readText(96, (name, length) => nvml.name(mig, name, length)),
    gpuInstanceId: readNumber((out) => nvml.gpuInstanceId(mig, out)),
    computeInstanceId: readNumber((out) => nvml.computeInstanceId(mig, out)),
    memory: memoryOf(nvml, mig),
    slices: readStruct(
      structs.nvmlDeviceAttributes_t,
      (out) => nvml.attributes(mig, out),
      (attributes: DeviceAttributes) => ({
        multiprocessors: attributes.multiprocessorCount,
        gpuInstanceSlices: attributes.gpuInstanceSliceCount,
        computeInstanceSlices: attributes.computeInstanceSliceCount,
      }),
    ),
  };
}

interface FabricInfo {
  readonly clusterUuid: Uint8Array | readonly number[];
  readonly status: number;
  readonly cliqueId: number;
  readonly state: number;
  readonly healthMask?: number;
}

const fabricStates = ['notSupported', 'notStarted', 'inProgress', 'completed'] as const;

function fabric(nvml: Nvml, device: Device): Reading<Fabric> {
  const told = readStruct(
    structs.nvmlGpuFabricInfo_v2_t,
    (out) => nvml.fabricInfo(device, out),
    fabricOf,
    fabricInfoV2Version,
  );
  if ('value' in told || told.missing !== 'notSupportedByDriver') return told;
  return readStruct(structs.nvmlGpuFabricInfo_t, (out) => nvml.olderFabricInfo(device, out), fabricOf);
}

function fabricOf({ state, status, clusterUuid, cliqueId, healthMask = 0 }: FabricInfo): Fabric {
  return {
    state: fabricStates[state] ?? `unknown${state}`,
    status,
    clusterUuid: Buffer.from(clusterUuid).toString('hex'),
    cliqueId,
    faults: fabricFaults(healthMask),
  };
}

/** NVML_GPU_FABRIC_HEALTH_MASK_*: two bits each, 0 not told, 1 true, 2 false. */
const healthBits = { degradedBandwidth: 0, routeRecovery: 2, routeUnhealthy: 4, accessTimeout: 6 } as const;
/** Four bits: 0 not told, 1 none, more: what is wrong. */
const configurationShift = 8;
/** Two bits: 0 not told, as by older drivers, 1 assigned, 2 not. */
const partitionShift = 12;
const configurations = [
  '',
  '',
  'incorrectSystemGuid',
  'incorrectChassisSerialNumber',
  'noPartition',
  'insufficientNvlinks',
  'incompatibleGpuFirmware',
  'invalidLocation',
  'invalidState',
];

function fabricFaults(mask: number): string[] | null {
  const told = Object.entries(healthBits).map(([name, shift]) => [name, (mask >> shift) & 3] as const);
  const configuration = (mask >> configurationShift) & 0xf;
  const faults = [
    ...told.flatMap(([name, bits]) => (bits === 1 ? [name] : [])),
    ...(configuration > 1 ? [configurations[configuration] ?? `configuration${configuration}`] : []),
    ...(((mask >> partitionShift) & 3) === 2 ? ['partitionNotAssigned'] : []),
  ];
  const toldAll = configuration !== 0 && told.every(([, bits]) => bits !== 0);
  return toldAll || faults.length > 0 ? faults : null;
}
