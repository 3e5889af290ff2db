import type { GpuReadings } from '../core/gpu.ts';
import type { LoadReadings, Memory } from '../core/load-readings.ts';
import type { ModeReadings } from '../core/mode-readings.ts';
import type { ClocksEventReason, PowerReadings } from '../core/power-readings.ts';
import type { Reading } from '../core/reading.ts';
import { type Board, boards } from './boards.ts';
import { loadSecondsAt } from './energy.ts';
import { simulatedLinks } from './links.ts';
import { errors, throttle } from './model-errors.ts';
import { identity } from './model-identity.ts';
import { type GpuModel, models } from './models.ts';
import { laggedLoadAt, loadAt } from './noise.ts';
import type { ScenarioNode } from './scenario.ts';

const MEBIBYTE = 1024 * 1024;
const KIBIBYTE = 1024;
/** What a GPU at full load sends and gets in a second: over PCIe, and over all NVLinks. */
const PCIE_BYTES = 3e9;
const NVLINK_KIBIBYTES = 120e6;
const none: Reading<number> = { value: 0 };
const notSupported = { missing: 'notSupported' } as const;

type Work = Omit<LoadReadings, keyof Fixed> & Omit<PowerReadings, keyof Fixed | 'fanPercents'>;
type Fixed = Pick<
  GpuReadings,
  | 'maxGraphicsClockMhz'
  | 'maxSmClockMhz'
  | 'maxMemoryClockMhz'
  | 'maxVideoClockMhz'
  | 'maxPcieGeneration'
  | 'maxPcieWidth'
  | 'slowdownTemperatureC'
  | 'shutdownTemperatureC'
  | 'maxMemoryTemperatureC'
  | 'maxTemperatureC'
  | 'slowdownMarginC'
  | 'shutdownMarginC'
  | 'maxMarginC'
  | 'maxMemoryMarginC'
  | 'powerLimitWatts'
  | 'defaultPowerLimitWatts'
  | 'powerLimitRange'
>;

/**
 * What a healthy GPU of a scenario reads at a time in ms: all of it follows from the node's name, the index and the
 * time. Utilisation, power, heat and memory rise and fall together.
 *
 * @throws RangeError when the node has no GPU of that index: a defect of the caller
 */
export function modelReadings(node: ScenarioNode, index: number, atMs: number): GpuReadings {
  const name = node.gpus[index];
  if (name === undefined) throw new RangeError(`${node.name} has no GPU ${index}`);
  const kind: Kind = { ...models[name], ...boards[name] };
  const place = { seed: `${node.name}/${index}`, index, gpus: node.gpus.length };
  return {
    ...identity(kind, place, node.driver),
    ...fixed(kind),
    ...work(kind, place.seed, atMs),
    fanPercents: { value: [] },
    ...errors(kind, node.driver),
    ...throttle(kind, place.seed, { atMs, driver: node.driver }),
    ...modes(kind),
    nvlinks: simulatedLinks(kind),
  };
}

type Kind = GpuModel & Board;

function has<T>(owned: boolean, value: T): Reading<T> {
  return owned ? { value } : notSupported;
}

function fixed(kind: Kind): Fixed {
  const { thresholdsC: thresholds, marginZeroC, maxTemperatureC, maxMemoryTemperatureC } = kind;
  return {
    maxGraphicsClockMhz: { value: kind.maxClockMhz },
    maxSmClockMhz: { value: kind.maxClockMhz },
    maxMemoryClockMhz: { value: kind.memoryClockMhz },
    maxVideoClockMhz: { value: kind.maxVideoClockMhz },
    maxPcieGeneration: { value: kind.pcieGeneration },
    maxPcieWidth: { value: kind.pcieWidth },
    slowdownTemperatureC: thresholds ? { value: thresholds.slowdown } : notSupported,
    shutdownTemperatureC: thresholds ? { value: thresholds.shutdown } : notSupported,
    maxMemoryTemperatureC: maxMemoryTemperatureC === null ? notSupported : { value: maxMemoryTemperatureC },
    maxTemperatureC: maxTemperatureC === null ? notSupported : { value: maxTemperatureC },
    slowdownMarginC: has(marginZeroC !== null, -2),
    shutdownMarginC: has(marginZeroC !== null, -8),
    maxMarginC: has(marginZeroC !== null, 0),
    maxMemoryMarginC: has(marginZeroC !== null, 0),
    powerLimitWatts: { value: kind.defaultPowerLimitWatts },
    defaultPowerLimitWatts: { value: kind.defaultPowerLimitWatts },
    powerLimitRange: { value: kind.powerLimitRange },
  };
}

function modes({ mig, hasFabric }: Kind): ModeReadings {
  return {
    computeMode: { value: 'default' },
    virtualizationMode: { value: 'none' },
    persistenceMode: { value: true },
    migMode: has(mig, { current: false, pending: false }),
    migDevices: has(mig, []),
    fabric: has(hasFabric, {
      state: 'completed',
      status: 0,
      clusterUuid: '0'.repeat(32),
      cliqueId: 0,
      faults: [],
    }),
  };
}

/** Utilisation, power, heat and memory rise and fall together. */
function work(kind: Kind, seed: string, atMs: number): Work {
  const load = loadAt(seed, atMs);
  const lagged = laggedLoadAt(seed, atMs);
  const watts = thousandths(between(kind.idleWatts, kind.busyWatts, load));
  return {
    ...heat(kind, lagged),
    ...traffic(kind, seed, atMs),
    ...clocks(kind, load),
    memory: { value: memory(kind, lagged) },
    bar1Memory: { value: bar1Memory(kind) },
    utilization: {
      value: { gpuPercent: Math.round(100 * load), memoryPercent: Math.round(60 * load * load) },
    },
    encoderPercent: none,
    decoderPercent: none,
    jpegPercent: none,
    ofaPercent: none,
    powerWatts: { value: watts },
    instantPowerWatts: { value: watts },
    averagePowerWatts: has(kind.averagesPower, watts),
    modulePowerWatts: has(kind.measuresModulePower, thousandths(watts * 1.25)),
    energyJoules: { value: thousandths(joules(kind, seed, atMs)) },
    clocksEventReasons: { value: reasons(load > 0, watts / kind.defaultPowerLimitWatts) },
  };
}

function heat({ idleC, busyC, memoryAboveC, marginZeroC }: Kind, lagged: number) {
  const celsius = Math.round(between(idleC, busyC, lagged));
  return {
    temperatureC: { value: celsius },
    memoryTemperatureC: memoryAboveC === null ? notSupported : { value: celsius + memoryAboveC },
    temperatureMarginC: marginZeroC === null ? notSupported : { value: marginZeroC - celsius },
  };
}

function clocks(kind: Kind, load: number) {
  const busy = load > 0;
  const clock = busy
    ? kind.maxClockMhz - 15 * Math.round(((kind.maxClockMhz - kind.busyClockMhz) * load) / 15)
    : kind.idleClockMhz;
  return {
    performanceState: { value: busy ? 0 : kind.idlePerformanceState },
    graphicsClockMhz: { value: clock },
    smClockMhz: { value: clock },
    memoryClockMhz: { value: busy ? kind.memoryClockMhz : kind.idleMemoryClockMhz },
    videoClockMhz: { value: Math.round((kind.maxVideoClockMhz * clock) / kind.maxClockMhz) },
    // A board that saves power when idle lets its link go down, too.
    pcieGeneration: { value: busy || kind.idlePerformanceState === 0 ? kind.pcieGeneration : 1 },
    pcieWidth: { value: kind.pcieWidth },
  };
}

function traffic({ countsPcie, countsNvlink }: Kind, seed: string, atMs: number) {
  const seconds = loadSecondsAt(seed, atMs);
  const pcie = has(countsPcie, Math.round(PCIE_BYTES * seconds));
  const nvlink = has(countsNvlink, KIBIBYTE * Math.round(NVLINK_KIBIBYTES * seconds));
  return { pcieTxBytes: pcie, pcieRxBytes: pcie, nvlinkTxBytes: nvlink, nvlinkRxBytes: nvlink };
}

/** Since the agent's start: what the board draws when idle, and more while it works. */
function joules(model: GpuModel, seed: string, atMs: number): number {
  return (model.idleWatts * atMs) / 1000 + (model.busyWatts - model.idleWatts) * loadSecondsAt(seed, atMs);
}

function memory(model: GpuModel, lagged: number): Memory {
  const usableMib = model.totalMib - model.reservedMib;
  const usedMib = 2 * Math.round(0.46 * usableMib * lagged);
  return {
    totalBytes: model.totalMib * MEBIBYTE,
    reservedBytes: model.reservedMib * MEBIBYTE,
    usedBytes: usedMib * MEBIBYTE,
    freeBytes: (usableMib - usedMib) * MEBIBYTE,
  };
}

function bar1Memory({ bar1Mib }: Board) {
  const usedMib = Math.min(bar1Mib, 6);
  return {
    totalBytes: bar1Mib * MEBIBYTE,
    usedBytes: usedMib * MEBIBYTE,
    freeBytes: (bar1Mib - usedMib) * MEBIBYTE,
  };
}

function reasons(busy: boolean, shareOfLimit: number): ClocksEventReason[] {
  if (!busy) return ['gpuIdle'];
  return shareOfLimit > 0.94 ? ['swPowerCap'] : [];
}

/** NVML counts in thousandths of watts and joules. */
function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function between(low: number, high: number, share: number): number {
  return low + (high - low) * share;
}
