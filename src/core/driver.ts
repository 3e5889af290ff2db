import { type GpuReadings, readingNames } from './gpu.ts';
import type { Missing, Reading } from './reading.ts';

/**
 * A GPU driver as one caller at a time uses it: NVML in a Worker, or simulated GPUs. A call may never return,
 * since a driver can hang in the kernel; who calls decides how long to wait (server/lane.ts).
 */
export interface Driver {
  /**
   * Starts a driver life: loads the library, initialises it, counts the GPUs.
   *
   * @throws Fault DRIVER_NOT_FOUND, DRIVER_NOT_LOADED, DRIVER_VERSION_MISMATCH, DRIVER_ACCESS_DENIED, DRIVER_FAILED
   */
  open(): Promise<DriverInfo>;
  /** Takes every reading of one GPU. Never rejects for what the driver says: that is in the readings. */
  read(index: number): Promise<GpuReadings>;
  /** Ends the driver life. */
  close(): Promise<void>;
  /** Gives it up in the middle of a call: nobody waits for it any more, and it ends itself when the call returns. */
  abandon(): void;
  /** How many driver calls have returned so far. As long as it grows the driver is slow, not hung. */
  callsReturned(): number;
}

export interface DriverInfo {
  /** Source: nvmlSystemGetDriverVersion. Oracle: nvidia-smi --query-gpu=driver_version */
  readonly driverVersion: Reading<string>;
  /** `12.8`. Source: nvmlSystemGetCudaDriverVersion (not _v2, which loads libcuda). Oracle: nvidia-smi, "CUDA Version" */
  readonly cudaVersion: Reading<string>;
  /** GPUs that the driver offers this process. Source: nvmlDeviceGetCount_v2. Oracle: nvidia-smi --query-gpu=count */
  readonly gpuCount: number;
}

/** How one driver takes each reading. */
export type Readers = { readonly [Name in keyof GpuReadings]: () => GpuReadings[Name] };

/** What one GPU has said for good in this driver life: see `takeReadings`. */
export type Remembered = Map<keyof GpuReadings, Reading<unknown>>;

const settled: ReadonlySet<keyof GpuReadings> = new Set([
  'name',
  'uuid',
  'serial',
  'pciAddress',
  'minorNumber',
  'slowdownTemperatureC',
  'shutdownTemperatureC',
  'defaultPowerLimitWatts',
  'powerLimitRange',
]);
const absent: ReadonlySet<Missing> = new Set(['notSupported', 'notSupportedByDriver']);

/**
 * Takes every reading once. What cannot change in a driver life (a name, a threshold, the lack of a feature) is
 * asked for once and then remembered. Once the GPU is lost nothing more is asked of it: each call could block.
 */
export function takeReadings(readers: Readers, remembered: Remembered): GpuReadings {
  const taken: Partial<Record<keyof GpuReadings, Reading<unknown>>> = {};
  let lost = false;
  for (const name of readingNames) {
    const known = remembered.get(name);
    const reading: Reading<unknown> = known ?? (lost ? { missing: 'gpuLost' } : readers[name]());
    if (isSettled(name, reading)) remembered.set(name, reading);
    lost ||= 'missing' in reading && reading.missing === 'gpuLost';
    taken[name] = reading;
  }
  return taken as GpuReadings;
}

function isSettled(name: keyof GpuReadings, reading: Reading<unknown>): boolean {
  return 'missing' in reading ? absent.has(reading.missing) : settled.has(name);
}

/** A GPU of which nothing can be read, but what was remembered. */
export function unreadable(missing: Missing, remembered: Partial<GpuReadings> = {}): GpuReadings {
  const none = Object.fromEntries(readingNames.map((name) => [name, { missing }]));
  return { ...none, ...remembered } as GpuReadings;
}
