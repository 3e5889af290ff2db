import type { Readers } from '../../core/driver.ts';
import {
  type ClocksEventReason,
  clocksEventReasonBits,
  type RecoveryAction,
  recoveryActions,
} from '../../core/gpu.ts';
import { map } from '../../core/reading.ts';
import {
  clockTypes,
  type Device,
  eccCounters,
  eccErrors,
  type MemoryV2,
  memoryV2Version,
  type Nvml,
  type PciInfo,
  temperatureSensors,
  temperatureThresholds,
  type UtilizationRates,
} from './abi.ts';
import { fieldsOf } from './fields.ts';
import { read, readNumber, readPair, readText } from './read.ts';

const milli = 1000;

/**
 * How NVML takes each reading in one sample: one call and one conversion each, but for the fields, which share a call.
 * What they mean stands at GpuReadings.
 */
export function nvmlReaders(nvml: Nvml, device: Device): Readers {
  const { CORRECTED, UNCORRECTED } = eccErrors;
  const { VOLATILE, AGGREGATE } = eccCounters;
  const clock = (type: number) => () => readNumber((out) => nvml.clockInfo(device, type, out));
  const ecc = (error: number, counter: number) => () =>
    readNumber((out) => nvml.totalEccErrors(device, error, counter, out));
  const field = fieldsOf(nvml, device);
  const threshold = (which: number) => () =>
    readNumber((out) => nvml.temperatureThreshold(device, which, out));
  return {
    name: () => readText(96, (name, length) => nvml.name(device, name, length)),
    uuid: () => readText(96, (uuid, length) => nvml.uuid(device, uuid, length)),
    serial: () => readText(30, (serial, length) => nvml.serial(device, serial, length)),
    pciAddress: () =>
      read<PciInfo, string>({ domain: 0, bus: 0, device: 0 }, (pci) => nvml.pciInfo(device, pci), pciAddress),
    minorNumber: () => readNumber((out) => nvml.minorNumber(device, out)),
    memory: () =>
      read(
        { version: memoryV2Version, total: 0, reserved: 0, used: 0, free: 0 } as MemoryV2,
        (out) => nvml.memoryInfo(device, out),
        ({ total, reserved, used, free }) => ({
          totalBytes: Number(total),
          reservedBytes: Number(reserved),
          usedBytes: Number(used),
          freeBytes: Number(free),
        }),
      ),
    utilization: () =>
      read(
        { gpu: 0, memory: 0 } as UtilizationRates,
        (out) => nvml.utilizationRates(device, out),
        ({ gpu, memory }) => ({ gpuPercent: gpu, memoryPercent: memory }),
      ),
    encoderPercent: () =>
      readPair((percent, period) => nvml.encoderUtilization(device, percent, period), first),
    decoderPercent: () =>
      readPair((percent, period) => nvml.decoderUtilization(device, percent, period), first),
    temperatureC: () => readNumber((out) => nvml.temperature(device, temperatureSensors.GPU, out)),
    memoryTemperatureC: () => field('MEMORY_TEMP'),
    slowdownTemperatureC: threshold(temperatureThresholds.SLOWDOWN),
    shutdownTemperatureC: threshold(temperatureThresholds.SHUTDOWN),
    powerWatts: () => readNumber((out) => nvml.powerUsage(device, out), milli),
    powerLimitWatts: () => readNumber((out) => nvml.enforcedPowerLimit(device, out), milli),
    defaultPowerLimitWatts: () => readNumber((out) => nvml.defaultPowerLimit(device, out), milli),
    powerLimitRange: () =>
      readPair(
        (min, max) => nvml.powerLimitConstraints(device, min, max),
        (min, max) => ({ minWatts: min / milli, maxWatts: max / milli }),
      ),
    energyJoules: () => map(field('TOTAL_ENERGY_CONSUMPTION'), (millijoules) => millijoules / milli),
    graphicsClockMhz: clock(clockTypes.GRAPHICS),
    smClockMhz: clock(clockTypes.SM),
    memoryClockMhz: clock(clockTypes.MEM),
    clocksEventReasons: () =>
      map(
        readNumber((out) => nvml.clocksEventReasons(device, out)),
        clocksEventReasons,
      ),
    performanceState: () => readNumber((out) => nvml.performanceState(device, out)),
    eccMode: () => readPair((current, pending) => nvml.eccMode(device, current, pending), mode),
    eccCorrectedVolatile: ecc(CORRECTED, VOLATILE),
    eccUncorrectedVolatile: ecc(UNCORRECTED, VOLATILE),
    eccCorrectedAggregate: ecc(CORRECTED, AGGREGATE),
    eccUncorrectedAggregate: ecc(UNCORRECTED, AGGREGATE),
    remappedRows: () =>
      read(
        [[0], [0], [0], [0]] as [[number], [number], [number], [number]],
        ([correctable, uncorrectable, pending, failed]) =>
          nvml.remappedRows(device, correctable, uncorrectable, pending, failed),
        ([[correctable], [uncorrectable], [pending], [failed]]) => ({
          correctable,
          uncorrectable,
          pending: pending !== 0,
          failed: failed !== 0,
        }),
      ),
    retiredPagesPending: () =>
      map(
        readNumber((out) => nvml.retiredPagesPending(device, out)),
        (pending) => pending !== 0,
      ),
    recoveryAction: () => map(field('GPU_RECOVERY_ACTION'), recoveryAction),
    pcieReplays: () => field('PCIE_REPLAY_COUNTER'),
    migMode: () => readPair((current, pending) => nvml.migMode(device, current, pending), mode),
    persistenceMode: () =>
      map(
        readNumber((out) => nvml.persistenceMode(device, out)),
        (on) => on !== 0,
      ),
  };
}

/** `0000:3b:00.0`, from the numbers: the driver's own text pads the domain to 8 digits, the kernel log does not. */
function pciAddress({ domain, bus, device }: PciInfo): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.0`;
}

/** The percentage; the second number is how long was measured. */
function first(percent: number): number {
  return percent;
}

function mode(current: number, pending: number): { current: boolean; pending: boolean } {
  return { current: current !== 0, pending: pending !== 0 };
}

function clocksEventReasons(bits: number): ClocksEventReason[] {
  const names = Object.keys(clocksEventReasonBits) as ClocksEventReason[];
  return names.filter((name) => (bits & clocksEventReasonBits[name]) !== 0);
}

function recoveryAction(value: number): RecoveryAction {
  return recoveryActions[value] ?? `unknown${value}`;
}
