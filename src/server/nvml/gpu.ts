import type { Readers } from '../../core/driver.ts';
import {
  type ClocksEventReason,
  clocksEventReasonBits,
  type RecoveryAction,
  recoveryActions,
} from '../../core/gpu.ts';
import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { map, type Reading } from '../../core/reading.ts';
import {
  clockTypes,
  type Device,
  eccCounters,
  eccErrors,
  type FieldValue,
  fieldIds,
  type MemoryV2,
  memoryV2Version,
  type Nvml,
  type PciInfo,
  temperatureSensors,
  temperatureThresholds,
  type UtilizationRates,
} from './abi.ts';
import { read, readNumber, readPair, readText } from './read.ts';

const milli = 1000;

/** How NVML takes each reading: one call and one conversion each. What they mean stands at GpuReadings. */
export function nvmlReaders(nvml: Nvml, device: Device): Readers {
  const { CORRECTED, UNCORRECTED } = eccErrors;
  const { VOLATILE, AGGREGATE } = eccCounters;
  const clock = (type: number) => () => readNumber((out) => nvml.clockInfo(device, type, out));
  const ecc = (error: number, counter: number) => () =>
    readNumber((out) => nvml.totalEccErrors(device, error, counter, out));
  const threshold = (which: number) => () =>
    readNumber((out) => nvml.temperatureThreshold(device, which, out));
  return {
    name: () => readText(96, (name, length) => nvml.name(device, name, length)),
    uuid: () => readText(96, (uuid, length) => nvml.uuid(device, uuid, length)),
    serial: () => readText(30, (serial, length) => nvml.serial(device, serial, length)),
    pciAddress: () =>
      read<PciInfo, string>({ domain: 0, bus: 0, device: 0 }, (pci) => nvml.pciInfo(device, pci), pciAddress),
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
    temperatureC: () => readNumber((out) => nvml.temperature(device, temperatureSensors.GPU, out)),
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
    recoveryAction: () => map(field(nvml, device, fieldIds.GPU_RECOVERY_ACTION), recoveryAction),
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

/** One value by its field id; the batch call succeeds although a single field failed. */
function field(nvml: Nvml, device: Device, fieldId: number): Reading<number> {
  const empty: FieldValue = {
    fieldId,
    scopeId: 0,
    timestamp: 0,
    latencyUsec: 0,
    valueType: 0,
    nvmlReturn: 0,
    value: new Uint8Array(8),
  };
  const values = read(
    [empty],
    (out) => nvml.fieldValues(device, 1, out),
    ([first]) => first ?? empty,
  );
  if ('missing' in values) return values;
  const { nvmlReturn: code } = values.value;
  return code === nvmlReturn.SUCCESS
    ? { value: fieldNumber(values.value) }
    : { missing: missingForCode(code) };
}

/** nvmlValueType_t: 0 double, 1 u32, 2 unsigned long (8 bytes), 3 u64, 4 i64, 5 i32, 6 u16. */
function fieldNumber({ value, valueType }: FieldValue): number {
  const view = new DataView(Uint8Array.from(value).buffer);
  switch (valueType) {
    case 0:
      return view.getFloat64(0, true);
    case 1:
      return view.getUint32(0, true);
    case 4:
      return Number(view.getBigInt64(0, true));
    case 5:
      return view.getInt32(0, true);
    case 6:
      return view.getUint16(0, true);
    default:
      return Number(view.getBigUint64(0, true));
  }
}
