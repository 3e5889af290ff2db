import { eccLocationNames, type SramEcc } from '../../../src/core/errors-readings.ts';
import type { GpuReadings } from '../../../src/core/gpu.ts';
import type { PlatformInfo } from '../../../src/core/identity-readings.ts';
import type { Fabric, MigDevice } from '../../../src/core/mode-readings.ts';
import { orNull, type Reading } from '../../../src/core/reading.ts';
import type { FakeBoard, FakeMigDevice } from '../nvml/fake-board.ts';
import type { Value } from './to-fake-fields.ts';

/** How long NVML says it measured the video engines. */
const PERIOD_MICROSECONDS = 167_000;

/** NVML's numbers for our words. */
const brands = { Unknown: 0, Tesla: 2, NVIDIA: 14 };
const architectures = { turing: 6, ampere: 7, hopper: 9, blackwell: 10 };
const computeModes = { default: 0, exclusiveThread: 1, prohibited: 2, exclusiveProcess: 3 };
const virtualizationModes = { none: 0, passthrough: 1, vgpu: 2, hostVgpu: 3, hostVsga: 4 };
const fabricStates = { notSupported: 0, notStarted: 1, inProgress: 2, completed: 3 };
const peerTypes = { direct: 0, switch: 1 };
const healthShifts = { degradedBandwidth: 0, routeRecovery: 2, routeUnhealthy: 4, accessTimeout: 6 };

/** What nvmlDeviceGetSramEccErrorStatus gives, in the order of its struct. */
const sramOrder: readonly (keyof SramEcc)[] = [
  'uncorrectedParityAggregate',
  'uncorrectedSecDedAggregate',
  'correctedAggregate',
  'uncorrectedParityVolatile',
  'uncorrectedSecDedVolatile',
  'correctedVolatile',
  'l2',
  'sm',
  'pcie',
  'microcontroller',
  'other',
  'thresholdExceeded',
];

export function fakeBoard(readings: GpuReadings): FakeBoard {
  const of = <Name extends keyof GpuReadings>(name: Name) => orNull(readings[name] as Value<Name>);
  const migDevices = of('migDevices');
  return {
    ...identity(readings),
    computeMode: numberOf(computeModes, of('computeMode')),
    virtualizationMode: numberOf(virtualizationModes, of('virtualizationMode')),
    fabric: fabric(of('fabric')),
    bar1Memory: bar1(of('bar1Memory')),
    jpeg: engine(of('jpegPercent')),
    ofa: engine(of('ofaPercent')),
    pcieGeneration: of('pcieGeneration'),
    maxPcieGeneration: of('maxPcieGeneration'),
    pcieWidth: of('pcieWidth'),
    maxPcieWidth: of('maxPcieWidth'),
    temperatureMarginC: of('temperatureMarginC'),
    fanPercents: of('fanPercents'),
    maxMigDevices: 'missing' in readings.migMode ? null : 7,
    ...(migDevices && { migDevices: migDevices.map(migDevice) }),
    ...errors(readings),
  };
}

function identity(readings: GpuReadings): FakeBoard {
  const of = <Name extends keyof GpuReadings>(name: Name) => orNull(readings[name] as Value<Name>);
  const [major, minor] = of('computeCapability')?.split('.').map(Number) ?? [];
  const versions = {
    oem: of('inforomOemVersion'),
    ecc: of('inforomEccVersion'),
    power: of('inforomPowerVersion'),
  };
  return {
    brand: numberOf(brands, of('brand')),
    architecture: numberOf(architectures, of('architecture')),
    computeCapability: major === undefined || minor === undefined ? null : { major, minor },
    boardPartNumber: of('boardPartNumber'),
    vbiosVersion: of('vbiosVersion'),
    inforomImageVersion: of('inforomImageVersion'),
    inforomVersion: Object.fromEntries(Object.entries(versions).filter(([, text]) => text !== null)),
    inforomValid: flag(of('inforomValid')),
    gspFirmwareVersion: of('gspFirmwareVersion'),
    moduleId: of('moduleId'),
    platform: platform(of('platform')),
    numaNode: of('numaNode'),
    numaAffinity: mask(of('numaAffinity')),
    cpuAffinity: mask(numbersIn(of('cpuAffinity'))),
  };
}

function errors(readings: GpuReadings): FakeBoard {
  const { eccLocations, sramEcc, rowRemapHistogram, repairPending, unrepairableMemory } = readings;
  const sram = orNull(sramEcc);
  const repair = orNull(repairPending);
  return {
    eccLocations:
      orNull(eccLocations)?.map(({ location, ...counts }) => ({
        location: eccLocationNames.indexOf(location),
        ...counts,
      })) ?? null,
    sramEcc: sram && sramOrder.map((name) => Number(sram[name])),
    rowRemapHistogram: orNull(rowRemapHistogram),
    repairPending: repair && { channel: Number(repair.channel), tpc: Number(repair.tpc) },
    unrepairableMemory: flag(orNull(unrepairableMemory)),
  };
}

function numberOf(numbers: Readonly<Record<string, number>>, word: string | null): number | null {
  return word === null ? null : (numbers[word] ?? Number(word.replace('unknown', '')));
}

function flag(value: boolean | null): number | null {
  return value === null ? null : Number(value);
}

function engine(percent: number | null) {
  return percent === null ? null : { percent, microseconds: PERIOD_MICROSECONDS };
}

function bar1(memory: { totalBytes: number; usedBytes: number } | null) {
  return memory && { total: memory.totalBytes, used: memory.usedBytes };
}

function platform(info: PlatformInfo | null): NonNullable<FakeBoard['platform']> | null {
  return info && { ...info, peerType: numberOf(peerTypes, info.peerType) ?? 0 };
}

/** NVML_GPU_FABRIC_HEALTH_MASK_INCORRECT_CONFIGURATION_NONE */
const rightConfiguration = 1 << 8;

/** `faults: null` is a mask in which nothing is told; else each bit says whether it is so. */
function fabric(given: Fabric | null): NonNullable<FakeBoard['fabric']> | null {
  if (!given) return null;
  const { faults, state, status, clusterUuid, cliqueId } = given;
  const bits = Object.entries(healthShifts).map(([name, shift]) => (faults?.includes(name) ? 1 : 2) << shift);
  const healthMask = faults === null ? 0 : bits.reduce((all, bit) => all | bit, rightConfiguration);
  return { clusterUuid, status, cliqueId, state: numberOf(fabricStates, state) ?? 0, healthMask };
}

function numbersIn(ranges: string | null): number[] | null {
  if (ranges === null) return null;
  return ranges.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

function mask(numbers: readonly number[] | null): bigint[] | null {
  if (!numbers) return null;
  const words = Array<bigint>(Math.floor(Math.max(0, ...numbers) / 64) + 1).fill(0n);
  for (const number of numbers) {
    const word = Math.floor(number / 64);
    words[word] = (words[word] ?? 0n) | (1n << BigInt(number % 64));
  }
  return words;
}

function migDevice({
  index,
  uuid,
  name,
  gpuInstanceId,
  computeInstanceId,
  memory,
  slices,
}: MigDevice): FakeMigDevice {
  const text = (reading: Reading<string>) => orNull(reading);
  const [bytes, parts] = [orNull(memory), orNull(slices)];
  return {
    index,
    uuid: text(uuid) ?? '',
    name: text(name),
    gpuInstanceId: orNull(gpuInstanceId),
    computeInstanceId: orNull(computeInstanceId),
    memoryBytes: bytes && {
      total: bytes.totalBytes,
      reserved: bytes.reservedBytes ?? 0,
      used: bytes.usedBytes,
    },
    slices: parts && {
      multiprocessors: parts.multiprocessors,
      gpuInstance: parts.gpuInstanceSlices,
      computeInstance: parts.computeInstanceSlices,
      mebibytes: 0,
    },
  };
}
