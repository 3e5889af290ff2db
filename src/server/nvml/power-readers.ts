import {
  type ClocksEventReason,
  clocksEventReasonBits,
  type PowerReadings,
  type ToldClocksEventReason,
} from '../../core/power-readings.ts';
import { map, type Reading } from '../../core/reading.ts';
import type { ThrottleReadings } from '../../core/throttle-readings.ts';
import {
  type Device,
  marginTemperatureVersion,
  type Nvml,
  structs,
  temperatureSensors,
  temperatureThresholds,
} from './abi.ts';
import type { FieldReader } from './fields.ts';
import { readNumber, readPair, readStruct } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

const milli = 1000;
const nano = 1e9;

export function powerReaders(nvml: Nvml, device: Device, field: FieldReader): ReadersOf<PowerReadings> {
  const threshold = (which: number) => () =>
    readNumber((out) => nvml.temperatureThreshold(device, which, out));
  return {
    temperatureC: () => readNumber((out) => nvml.temperature(device, temperatureSensors.GPU, out)),
    temperatureMarginC: () =>
      readStruct(
        structs.nvmlMarginTemperature_v1_t,
        (out) => nvml.marginTemperature(device, out),
        ({ marginTemperature }: { marginTemperature: number }) => marginTemperature,
        marginTemperatureVersion,
      ),
    memoryTemperatureC: () => field('memoryTemperatureC'),
    slowdownTemperatureC: threshold(temperatureThresholds.SLOWDOWN),
    shutdownTemperatureC: threshold(temperatureThresholds.SHUTDOWN),
    maxMemoryTemperatureC: threshold(temperatureThresholds.MEM_MAX),
    maxTemperatureC: threshold(temperatureThresholds.GPU_MAX),
    slowdownMarginC: () => field('slowdownMarginC'),
    shutdownMarginC: () => field('shutdownMarginC'),
    maxMarginC: () => field('maxMarginC'),
    maxMemoryMarginC: () => field('maxMemoryMarginC'),
    fanPercents: () => fanPercents(nvml, device),
    powerWatts: () => readNumber((out) => nvml.powerUsage(device, out), milli),
    instantPowerWatts: () => field('instantPowerWatts', milli),
    averagePowerWatts: () => field('averagePowerWatts', milli),
    modulePowerWatts: () => field('modulePowerWatts', milli),
    powerLimitWatts: () => readNumber((out) => nvml.enforcedPowerLimit(device, out), milli),
    defaultPowerLimitWatts: () => readNumber((out) => nvml.defaultPowerLimit(device, out), milli),
    powerLimitRange: () =>
      readPair(
        (min, max) => nvml.powerLimitConstraints(device, min, max),
        (min, max) => ({ minWatts: min / milli, maxWatts: max / milli }),
      ),
    energyJoules: () => field('energyJoules', milli),
    clocksEventReasons: () =>
      map(
        readNumber((out) => nvml.clocksEventReasons(device, out)),
        clocksEventReasons,
      ),
  };
}

export function throttleReaders(field: FieldReader): ReadersOf<ThrottleReadings> {
  const seconds = (name: keyof ThrottleReadings) => () => field(name, nano);
  return {
    powerViolationSeconds: seconds('powerViolationSeconds'),
    thermalViolationSeconds: seconds('thermalViolationSeconds'),
    syncBoostViolationSeconds: seconds('syncBoostViolationSeconds'),
    boardLimitViolationSeconds: seconds('boardLimitViolationSeconds'),
    lowUtilizationViolationSeconds: seconds('lowUtilizationViolationSeconds'),
    reliabilityViolationSeconds: seconds('reliabilityViolationSeconds'),
    appClocksViolationSeconds: seconds('appClocksViolationSeconds'),
    baseClocksViolationSeconds: seconds('baseClocksViolationSeconds'),
    swThermalSlowdownSeconds: seconds('swThermalSlowdownSeconds'),
    hwThermalSlowdownSeconds: seconds('hwThermalSlowdownSeconds'),
    hwPowerBrakeSlowdownSeconds: seconds('hwPowerBrakeSlowdownSeconds'),
  };
}

/** A board that its chassis cools has none, and says so by the number 0. */
function fanPercents(nvml: Nvml, device: Device): Reading<readonly number[]> {
  const count = readNumber((out) => nvml.numFans(device, out));
  if ('missing' in count) return count;
  const percents: number[] = [];
  for (let fan = 0; fan < count.value; fan++) {
    const percent = readNumber((out) => nvml.fanSpeed(device, fan, out));
    if ('missing' in percent) return percent;
    percents.push(percent.value);
  }
  return { value: percents };
}

/** 64 bits, of which JavaScript's own operators look at 32. */
function clocksEventReasons(bits: number): ToldClocksEventReason[] {
  const names = Object.keys(clocksEventReasonBits) as ClocksEventReason[];
  const held = names.filter((name) => (bits & clocksEventReasonBits[name]) !== 0);
  const others = held.reduce((rest, name) => rest - clocksEventReasonBits[name], bits);
  return others === 0 ? held : [...held, `unknown0x${others.toString(16)}`];
}
