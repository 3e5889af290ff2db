import { type GpuReadings, readingNames, symbolOf } from '../../../src/core/gpu.ts';
import type { Mode } from '../../../src/core/mode-readings.ts';
import type { ToldClocksEventReason } from '../../../src/core/power-readings.ts';
import { type Missing, map, orNull, type Reading } from '../../../src/core/reading.ts';
import { maskOf } from '../../../src/server/history/sample.ts';
import { codeOf, driverAt, type GpuCondition, gpuAt } from '../../../src/simulate/condition.ts';
import { nodeOf, type Scenario } from '../../../src/simulate/scenario.ts';
import { gpuSymbols } from '../../../src/simulate/symbols.ts';
import type { FakeGpu, FakeNvmlConfig } from '../nvml/fake-config.ts';
import { fakeBoard } from './to-fake-board.ts';
import { codeFor, fakeFields, type Value } from './to-fake-fields.ts';
import { fakeLinkFields, fakeLinks } from './to-fake-links.ts';

/** How long NVML says it measured the video engines. */
const PERIOD_MICROSECONDS = 167_000;

/**
 * What the C fake must be told so that the agent's NVML code sees what `simulatedDriver` shows at a time in ms. The
 * fake has no clock: write its file anew when the scenario has moved on.
 *
 * @param node undefined: the first
 * @throws Fault SCENARIO_INVALID for an unknown node; Error for a state that NVML cannot be in: of readings that one
 *   function answers, some missing for another reason than notSupported, and some not
 */
export function toFakeNvml(scenario: Scenario, node: string | undefined, atMs: number): FakeNvmlConfig {
  const { name, driver, cuda, gpus } = nodeOf(scenario, node);
  const conditions = gpus.map((_, index) => gpuAt(scenario, name, index, atMs));
  const { codes, away, generation } = driverAt(scenario, name, atMs);
  const [major = 0, minor = 0] = cuda.split('.').map(Number);
  return {
    driver: away ? 'notLoaded' : 'loaded',
    generation,
    driverVersion: driver,
    cudaVersion: major * 1000 + minor * 10,
    nvmlVersion: `13.${driver}`,
    confCompute: { environment: 0, feature: 0, devTools: 0 },
    gpus: conditions.map(({ readings }) => fakeGpu(readings)),
    returns: [
      ...Object.entries(codes).flatMap(([symbol, code]) => (code === 0 ? [] : [{ symbol, code }])),
      ...(codes.nvmlInit_v2 === 0 ? [] : [{ symbol: 'nvmlInitWithFlags', code: codes.nvmlInit_v2 }]),
      ...conditions.flatMap(returns),
    ],
    hangs: conditions.flatMap(({ hung }, gpu) => (hung ? [{ gpu }] : [])),
  };
}

function fakeGpu(readings: GpuReadings): FakeGpu {
  const of = <Name extends keyof GpuReadings>(name: Name) => orNull(readings[name] as Value<Name>);
  const memory = of('memory');
  const utilization = of('utilization');
  const range = of('powerLimitRange');
  const rows = of('remappedRows');
  const retired = of('retiredPagesPending');
  const persistence = of('persistenceMode');
  const limit = orNull(map(readings.powerLimitWatts, milliwatts));
  return {
    name: of('name'),
    uuid: of('uuid'),
    serial: of('serial'),
    pci: pci(of('pciAddress')),
    minorNumber: of('minorNumber'),
    memoryBytes: memory && {
      total: memory.totalBytes,
      reserved: memory.reservedBytes ?? 0,
      used: memory.usedBytes,
    },
    utilizationPercent: utilization && { gpu: utilization.gpuPercent, memory: utilization.memoryPercent },
    encoder: videoEngine(of('encoderPercent')),
    decoder: videoEngine(of('decoderPercent')),
    temperatureC: of('temperatureC'),
    temperatureThresholdsC: present({
      slowdown: of('slowdownTemperatureC'),
      shutdown: of('shutdownTemperatureC'),
      memoryMax: of('maxMemoryTemperatureC'),
      gpuMax: of('maxTemperatureC'),
    }),
    powerMilliwatts: orNull(map(readings.powerWatts, milliwatts)),
    enforcedPowerLimitMilliwatts: limit,
    powerLimitMilliwatts: limit,
    defaultPowerLimitMilliwatts: orNull(map(readings.defaultPowerLimitWatts, milliwatts)),
    powerLimitRangeMilliwatts: range && { min: milliwatts(range.minWatts), max: milliwatts(range.maxWatts) },
    clocksMHz: present({
      graphics: of('graphicsClockMhz'),
      sm: of('smClockMhz'),
      memory: of('memoryClockMhz'),
      video: of('videoClockMhz'),
    }),
    maxClocksMHz: present({
      graphics: of('maxGraphicsClockMhz'),
      sm: of('maxSmClockMhz'),
      memory: of('maxMemoryClockMhz'),
      video: of('maxVideoClockMhz'),
    }),
    clocksEventReasons: bits(of('clocksEventReasons')),
    performanceState: of('performanceState'),
    eccMode: mode(of('eccMode')),
    eccErrors: present({
      correctedVolatile: of('eccCorrectedVolatile'),
      uncorrectedVolatile: of('eccUncorrectedVolatile'),
      correctedAggregate: of('eccCorrectedAggregate'),
      uncorrectedAggregate: of('eccUncorrectedAggregate'),
    }),
    remappedRows: rows && {
      corrected: rows.correctable,
      uncorrected: rows.uncorrectable,
      pending: Number(rows.pending),
      failure: Number(rows.failed),
    },
    retiredPagesPending: retired === null ? null : Number(retired),
    migMode: mode(of('migMode')),
    persistenceMode: persistence === null ? null : Number(persistence),
    ...fakeBoard(readings),
    ...fakeLinks(readings),
    fields: [...fakeFields(readings), ...fakeLinkFields(readings)],
  };
}

function milliwatts(watts: number): number {
  return Math.round(watts * 1000);
}

function mode(given: Mode | null): { current: number; pending: number } | null {
  return given && { current: Number(given.current), pending: Number(given.pending) };
}

function bits(reasons: readonly ToldClocksEventReason[] | null): number | null {
  return reasons && maskOf(reasons);
}

function pci(address: string | null): NonNullable<FakeGpu['pci']> | null {
  const [domain = 0, bus = 0, device = 0] = (address ?? '')
    .split(/[:.]/)
    .map((part) => Number.parseInt(part, 16));
  return address === null ? null : { domain, bus, device, deviceId: 0, subsystemId: 0 };
}

function videoEngine(percent: number | null): NonNullable<FakeGpu['encoder']> | null {
  return percent === null ? null : { percent, microseconds: PERIOD_MICROSECONDS };
}

/** Without the members that are null. */
function present<Member extends string>(
  members: Record<Member, number | null>,
): { [Name in Member]?: number } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null)) as {
    [Name in Member]?: number;
  };
}

/** The codes of one GPU's calls: those that the scenario orders, and those that say why a reading is missing. */
function returns(condition: GpuCondition, gpu: number): NonNullable<FakeNvmlConfig['returns']>[number][] {
  const { readings, codes } = condition;
  const forAll = codes.get('all') ?? 0;
  const single = gpuSymbols
    .map((symbol) => ({ symbol, gpu, code: codeOf(condition, symbol) || missingCode(symbol, readings) }))
    .filter(({ code }) => code !== forAll);
  return forAll === 0 ? single : [...single, { gpu, code: forAll }];
}

function missingCode(symbol: string, readings: GpuReadings): number {
  if (symbol === symbolOf.recoveryAction) return 0; // each field has a code of its own
  if (
    symbol === symbolOf.migDevices &&
    readings.migMode &&
    !('value' in readings.migMode && readings.migMode.value.current)
  )
    return 0; // not asked for
  const names = readingNames.filter((name) => symbolOf[name] === symbol);
  const reasons = new Set(names.map((name) => reasonOf(readings[name])));
  if (![...reasons].some((reason) => reason !== null && reason !== 'notSupported')) return 0; // the values say it
  const [reason] = reasons;
  if (reasons.size === 1 && reason) return codeFor(reason);
  throw new Error(`${symbol} answers ${names.join(', ')}: they cannot be missing for different reasons`);
}

function reasonOf(reading: Reading<unknown>): Missing | null {
  return 'missing' in reading ? reading.missing : null;
}
