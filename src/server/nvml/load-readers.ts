import type { Bar1Memory, LoadReadings, Memory } from '../../core/load-readings.ts';
import { map, type Reading, unlessUnknown } from '../../core/reading.ts';
import {
  clockTypes,
  type Device,
  type MemoryV1,
  type MemoryV2,
  memoryV2Version,
  type Nvml,
  structs,
  type UtilizationRates,
} from './abi.ts';
import type { FieldReader } from './fields.ts';
import { type LinkBytes, linkBytes } from './link-readers.ts';
import { read, readNumber, readPair, readStruct } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

const kibibyte = 1024;

export function loadReaders(nvml: Nvml, device: Device, field: FieldReader): ReadersOf<LoadReadings> {
  const number = (call: (device: Device, out: Uint32Array) => number) => () =>
    readNumber((out) => call(device, out));
  const engine = (call: (device: Device, percent: Uint32Array, microseconds: Uint32Array) => number) => () =>
    readPair((percent, period) => call(device, percent, period), first);
  const clock = (type: number) => () => readNumber((out) => nvml.clockInfo(device, type, out));
  const maxClock = (type: number) => () => readNumber((out) => nvml.maxClockInfo(device, type, out));
  let ofLinks: LinkBytes | undefined;
  const nvlink = (name: 'nvlinkTxBytes' | 'nvlinkRxBytes', way: keyof LinkBytes) => () => {
    const all = map(field(name), (kib) => kib * kibibyte);
    if ('value' in all || all.missing !== 'notSupported') return all;
    ofLinks ??= linkBytes(nvml, device);
    return ofLinks[way];
  };
  return {
    memory: () => memoryOf(nvml, device),
    bar1Memory: () => bar1MemoryOf(nvml, device),
    utilization: () =>
      read(
        { gpu: 0, memory: 0 } as UtilizationRates,
        (out) => nvml.utilizationRates(device, out),
        ({ gpu, memory }) => ({ gpuPercent: gpu, memoryPercent: memory }),
      ),
    encoderPercent: engine(nvml.encoderUtilization),
    decoderPercent: engine(nvml.decoderUtilization),
    jpegPercent: engine(nvml.jpgUtilization),
    ofaPercent: engine(nvml.ofaUtilization),
    performanceState: () => performanceState(nvml, device),
    graphicsClockMhz: clock(clockTypes.GRAPHICS),
    smClockMhz: clock(clockTypes.SM),
    memoryClockMhz: clock(clockTypes.MEM),
    videoClockMhz: clock(clockTypes.VIDEO),
    maxGraphicsClockMhz: maxClock(clockTypes.GRAPHICS),
    maxSmClockMhz: maxClock(clockTypes.SM),
    maxMemoryClockMhz: maxClock(clockTypes.MEM),
    maxVideoClockMhz: maxClock(clockTypes.VIDEO),
    pcieGeneration: number(nvml.pcieGeneration),
    maxPcieGeneration: number(nvml.maxPcieGeneration),
    pcieWidth: number(nvml.pcieWidth),
    maxPcieWidth: number(nvml.maxPcieWidth),
    pcieTxBytes: () => field('pcieTxBytes'),
    pcieRxBytes: () => field('pcieRxBytes'),
    nvlinkTxBytes: nvlink('nvlinkTxBytes', 'tx'),
    nvlinkRxBytes: nvlink('nvlinkRxBytes', 'rx'),
  };
}

/** NVML_PSTATE_UNKNOWN */
const unknownState = 32;

function performanceState(nvml: Nvml, device: Device): Reading<number> {
  const state = readNumber((out) => nvml.performanceState(device, out));
  return unlessUnknown(state, (value) => value === unknownState);
}

/** The percentage; the second number is how long was measured. */
function first(percent: number): number {
  return percent;
}

export function memoryOf(nvml: Nvml, device: Device): Reading<Memory> {
  const told = read(
    { version: memoryV2Version, total: 0, reserved: 0, used: 0, free: 0 } as MemoryV2,
    (out) => nvml.memoryInfo(device, out),
    (memory) => ({ ...bytesOf(memory), reservedBytes: Number(memory.reserved) }),
  );
  if ('value' in told || told.missing !== 'notSupportedByDriver') return told;
  return read(
    { total: 0, free: 0, used: 0 } as MemoryV1,
    (out) => nvml.olderMemoryInfo(device, out),
    (memory) => ({ ...bytesOf(memory), reservedBytes: null }),
  );
}

function bytesOf({ total, used, free }: MemoryV1): Omit<Memory, 'reservedBytes'> {
  return { totalBytes: Number(total), usedBytes: Number(used), freeBytes: Number(free) };
}

function bar1MemoryOf(nvml: Nvml, device: Device): Reading<Bar1Memory> {
  return readStruct(
    structs.nvmlBAR1Memory_t,
    (out) => nvml.bar1MemoryInfo(device, out),
    ({ bar1Total, bar1Used, bar1Free }: Record<'bar1Total' | 'bar1Used' | 'bar1Free', number | bigint>) => ({
      totalBytes: Number(bar1Total),
      usedBytes: Number(bar1Used),
      freeBytes: Number(bar1Free),
    }),
  );
}
