import type { ClocksEventReason, GpuReadings, Memory } from '../core/gpu.ts';
import type { Reading } from '../core/reading.ts';
import { loadSecondsAt } from './energy.ts';
import { type GpuModel, models } from './models.ts';
import { hash, laggedLoadAt, loadAt } from './noise.ts';
import type { ScenarioNode } from './scenario.ts';

const MEBIBYTE = 1024 * 1024;
const FIRST_BUS = 0x0a;
const BUSES_APART = 7;
const none: Reading<number> = { value: 0 };
const notSupported = { missing: 'notSupported' } as const;

type Identity = Pick<GpuReadings, 'name' | 'uuid' | 'serial' | 'pciAddress' | 'minorNumber'>;
type Limits = Pick<
  GpuReadings,
  | 'slowdownTemperatureC'
  | 'shutdownTemperatureC'
  | 'powerLimitWatts'
  | 'defaultPowerLimitWatts'
  | 'powerLimitRange'
>;
type Work = Pick<
  GpuReadings,
  | 'memory'
  | 'utilization'
  | 'encoderPercent'
  | 'decoderPercent'
  | 'temperatureC'
  | 'memoryTemperatureC'
  | 'powerWatts'
  | 'energyJoules'
  | 'graphicsClockMhz'
  | 'smClockMhz'
  | 'memoryClockMhz'
  | 'clocksEventReasons'
  | 'performanceState'
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
  const model = models[name];
  const seed = `${node.name}/${index}`;
  return {
    ...identity(model, seed, index),
    ...limits(model),
    ...work(model, seed, atMs),
    ...health(model, node.driver),
    migMode: model.mig ? { value: { current: false, pending: false } } : notSupported,
    persistenceMode: { value: true },
  };
}

function identity(model: GpuModel, seed: string, index: number): Identity {
  const words = [0, 1, 2, 3].map((word) => hex(hash(`uuid ${word} ${seed}`), 8));
  const [, a = '', b = '', c = '', d = '', e = ''] =
    /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(words.join('')) ?? [];
  const domain = model.pciDomains[index % model.pciDomains.length] ?? 0;
  const bus = FIRST_BUS + BUSES_APART * Math.floor(index / model.pciDomains.length);
  return {
    name: { value: model.productName },
    uuid: { value: `GPU-${a}-${b}-${c}-${d}-${e}` },
    serial: { value: `16${digits(`serial a ${seed}`, 6)}${digits(`serial b ${seed}`, 5)}` },
    pciAddress: { value: `${hex(domain, 4)}:${hex(bus, 2)}:00.0` },
    minorNumber: { value: index },
  };
}

function limits(model: GpuModel): Limits {
  const { thresholdsC: thresholds } = model;
  return {
    slowdownTemperatureC: thresholds ? { value: thresholds.slowdown } : notSupported,
    shutdownTemperatureC: thresholds ? { value: thresholds.shutdown } : notSupported,
    powerLimitWatts: { value: model.defaultPowerLimitWatts },
    defaultPowerLimitWatts: { value: model.defaultPowerLimitWatts },
    powerLimitRange: { value: model.powerLimitRange },
  };
}

function work(model: GpuModel, seed: string, atMs: number): Work {
  const load = loadAt(seed, atMs);
  const lagged = laggedLoadAt(seed, atMs);
  const busy = load > 0;
  const celsius = Math.round(between(model.idleC, model.busyC, lagged));
  const watts = between(model.idleWatts, model.busyWatts, load);
  const clock = busy
    ? model.maxClockMhz - 15 * Math.round(((model.maxClockMhz - model.busyClockMhz) * load) / 15)
    : model.idleClockMhz;
  return {
    memory: { value: memory(model, lagged) },
    utilization: {
      value: { gpuPercent: Math.round(100 * load), memoryPercent: Math.round(60 * load * load) },
    },
    encoderPercent: none,
    decoderPercent: none,
    temperatureC: { value: celsius },
    memoryTemperatureC: model.memoryAboveC === null ? notSupported : { value: celsius + model.memoryAboveC },
    powerWatts: { value: thousandths(watts) },
    energyJoules: { value: thousandths(joules(model, seed, atMs)) },
    graphicsClockMhz: { value: clock },
    smClockMhz: { value: clock },
    memoryClockMhz: { value: busy ? model.memoryClockMhz : model.idleMemoryClockMhz },
    clocksEventReasons: { value: reasons(busy, watts / model.defaultPowerLimitWatts) },
    performanceState: { value: busy ? 0 : model.idlePerformanceState },
  };
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

function reasons(busy: boolean, shareOfLimit: number): ClocksEventReason[] {
  if (!busy) return ['gpuIdle'];
  return shareOfLimit > 0.94 ? ['swPowerCap'] : [];
}

type Health = Omit<GpuReadings, keyof (Identity & Limits & Work) | 'migMode' | 'persistenceMode'>;

function health(model: GpuModel, driver: string): Health {
  return {
    eccMode: { value: { current: true, pending: true } },
    eccCorrectedVolatile: none,
    eccUncorrectedVolatile: none,
    eccCorrectedAggregate: none,
    eccUncorrectedAggregate: none,
    remappedRows: model.remapsRows
      ? { value: { correctable: 0, uncorrectable: 0, pending: false, failed: false } }
      : notSupported,
    retiredPagesPending: model.remapsRows ? notSupported : { value: false },
    // NVML's change log: NVML_FI_DEV_GET_GPU_RECOVERY_ACTION replaces the reset-status fields from v570 on.
    recoveryAction: Number.parseInt(driver, 10) >= 570 ? { value: 'none' } : notSupported,
    pcieReplays: none,
  };
}

/** NVML counts in thousandths of watts and joules. */
function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function between(low: number, high: number, share: number): number {
  return low + (high - low) * share;
}

function digits(seed: string, length: number): string {
  return String(hash(seed) % 10 ** length).padStart(length, '0');
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}
