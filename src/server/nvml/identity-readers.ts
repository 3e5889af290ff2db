import type { IdentityReadings, PlatformInfo } from '../../core/identity-readings.ts';
import { nvmlReturn } from '../../core/nvml-return.ts';
import { map, type Reading, unlessUnknown } from '../../core/reading.ts';
import {
  type Device,
  inforomObjects,
  type Nvml,
  type PciInfo,
  platformInfoV1Version,
  platformInfoV2Version,
  structs,
} from './abi.ts';
import { read, readNumber, readPair, readStruct, readText } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

export function identityReaders(nvml: Nvml, device: Device): ReadersOf<IdentityReadings> {
  const inforom = (object: number) => () =>
    readText(16, (version, length) => nvml.inforomVersion(device, object, version, length));
  return {
    name: () => readText(96, (name, length) => nvml.name(device, name, length)),
    uuid: () => readText(96, (uuid, length) => nvml.uuid(device, uuid, length)),
    serial: () => readText(30, (serial, length) => nvml.serial(device, serial, length)),
    pciAddress: () => pciAddressOf((pci) => nvml.pciInfo(device, pci)),
    minorNumber: () => readNumber((out) => nvml.minorNumber(device, out)),
    brand: () =>
      named(
        brands,
        readNumber((out) => nvml.brand(device, out)),
      ),
    architecture: () =>
      named(
        architectures,
        readNumber((out) => nvml.architecture(device, out)),
      ),
    computeCapability: () =>
      readPair(
        (major, minor) => nvml.computeCapability(device, major, minor),
        (major, minor) => `${major}.${minor}`,
      ),
    boardPartNumber: () => readText(80, (part, length) => nvml.boardPartNumber(device, part, length)),
    vbiosVersion: () => readText(32, (version, length) => nvml.vbiosVersion(device, version, length)),
    inforomImageVersion: () =>
      readText(16, (version, length) => nvml.inforomImageVersion(device, version, length)),
    inforomOemVersion: inforom(inforomObjects.OEM),
    inforomEccVersion: inforom(inforomObjects.ECC),
    inforomPowerVersion: inforom(inforomObjects.POWER),
    inforomValid: () => inforomValid(nvml, device),
    gspFirmwareVersion: () => readText(64, (version) => nvml.gspFirmwareVersion(device, version)),
    moduleId: () => readNumber((out) => nvml.moduleId(device, out)),
    platform: () => platform(nvml, device),
    numaNode: () => readNumber((out) => nvml.numaNodeId(device, out)),
    numaAffinity: () => affinity((nodes) => nvml.memoryAffinity(device, affinityWords, nodes, nodeScope)),
    cpuAffinity: () =>
      map(
        affinity((cpus) => nvml.cpuAffinity(device, affinityWords, cpus)),
        ranges,
      ),
  };
}

/** Where nothing is, the driver answers with ones. */
export function pciAddressOf(call: (pci: PciInfo) => number): Reading<string> {
  const pci = read<PciInfo, PciInfo>({ domain: 0, bus: 0, device: 0 }, call, (told) => told);
  return map(
    unlessUnknown(pci, ({ bus }) => bus > 0xff),
    pciAddress,
  );
}

/** `0000:3b:00.0`, from the numbers: the driver's own text pads the domain to 8 digits, the kernel log does not. */
function pciAddress({ domain, bus, device }: PciInfo): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.0`;
}

/** By nvmlBrandType_t, in the words of nvidia-smi. */
const brands = new Map([
  [1, 'Quadro'],
  [2, 'Tesla'],
  [3, 'NVS'],
  [4, 'GRID'],
  [5, 'GeForce'],
  [6, 'Titan'],
  [7, 'NVIDIA Virtual Applications'],
  [8, 'NVIDIA Virtual PC'],
  [9, 'NVIDIA Virtual Compute Server'],
  [10, 'NVIDIA RTX Virtual Workstation'],
  [11, 'NVIDIA Cloud Gaming'],
  [12, 'Quadro RTX'],
  [13, 'NVIDIA RTX'],
  [14, 'NVIDIA'],
  [15, 'GeForce RTX'],
  [16, 'TITAN RTX'],
]);

/** By NVML_DEVICE_ARCH_*. */
const architectures = new Map([
  [2, 'kepler'],
  [3, 'maxwell'],
  [4, 'pascal'],
  [5, 'volta'],
  [6, 'turing'],
  [7, 'ampere'],
  [8, 'ada'],
  [9, 'hopper'],
  [10, 'blackwell'],
  [13, 'rubin'],
]);

/** NVML_BRAND_UNKNOWN and NVML_DEVICE_ARCH_UNKNOWN */
const unknownKinds = [0, 0xffff_ffff];

function named(names: ReadonlyMap<number, string>, reading: Reading<number>): Reading<string> {
  return map(
    unlessUnknown(reading, (value) => unknownKinds.includes(value)),
    (value) => names.get(value) ?? `unknown${value}`,
  );
}

/** The answer is the code. */
function inforomValid(nvml: Nvml, device: Device): Reading<boolean> {
  let corrupted = false;
  const valid = read(
    null,
    () => {
      const code = nvml.validateInforom(device);
      corrupted = code === nvmlReturn.CORRUPTED_INFOROM;
      return corrupted ? nvmlReturn.SUCCESS : code;
    },
    () => !corrupted,
  );
  return valid;
}

interface PlatformInfoV2 {
  readonly ibGuid: Uint8Array | readonly number[];
  readonly chassisSerialNumber: Uint8Array | readonly number[];
  readonly slotNumber: number;
  readonly trayIndex: number;
  readonly hostId: number;
  readonly peerType: number;
  readonly moduleId: number;
}

const peerTypes = new Map<number, PlatformInfo['peerType']>([
  [0, 'direct'],
  [1, 'switch'],
]);

/** By the second version, or by the first, in which the same numbers have other names, and the serial is the rack's GUID. */
function platform(nvml: Nvml, device: Device): Reading<PlatformInfo> {
  const told = platformBy(platformInfoV2Version, nvml, device);
  const older = 'missing' in told && told.missing === 'notSupportedByDriver';
  const place = older ? platformBy(platformInfoV1Version, nvml, device) : told;
  return unlessUnknown(place, isNowhere);
}

function platformBy(version: number, nvml: Nvml, device: Device): Reading<PlatformInfo> {
  return readStruct(
    structs.nvmlPlatformInfo_v2_t,
    (out) => nvml.platformInfo(device, out),
    ({ ibGuid, chassisSerialNumber, slotNumber, trayIndex, hostId, peerType, moduleId }: PlatformInfoV2) => ({
      ibGuid: Buffer.from(ibGuid).toString('hex'),
      chassisSerialNumber: Buffer.from(chassisSerialNumber).toString('latin1').replace(/\0.*$/s, ''),
      slotNumber,
      trayIndex,
      hostId,
      peerType: peerTypes.get(peerType) ?? `unknown${peerType}`,
      moduleId,
    }),
    version,
  );
}

/** What boards before Blackwell, and those outside of a rack, answer besides their module: for them nvidia-smi -q has N/A. */
function isNowhere({ chassisSerialNumber, ibGuid, slotNumber, trayIndex }: PlatformInfo): boolean {
  return chassisSerialNumber === '' && /^0+$/.test(ibGuid) && slotNumber === 0 && trayIndex === 0;
}

/** NVML_AFFINITY_SCOPE_NODE */
const nodeScope = 0;
const ulongBytes = 8;
/** 4,096 processors: more than any host has, and NVML refuses a set that is too small. */
const affinityWords = 64;

/** A GPU that is near none is one of which the driver does not know it. */
function affinity(call: (mask: Uint8Array) => number): Reading<number[]> {
  const told = read(new Uint8Array(affinityWords * ulongBytes), call, bitsSet);
  return unlessUnknown(told, ({ length }) => length === 0);
}

function bitsSet(mask: Uint8Array): number[] {
  return [...mask].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => at * 8 + bit),
  );
}

/** `0-31,64-95`, of numbers that increase. */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run && number === run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
