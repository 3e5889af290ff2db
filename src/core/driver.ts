import type { GpmReport } from './gpm.ts';
import { type GpuReadings, readingNames, settledReadings, slowReadings } from './gpu.ts';
import type { DriverProcess } from './process.ts';
import type { Missing, Reading } from './reading.ts';
import type { PeerPath } from './topology.ts';

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
  /**
   * Takes every reading of one GPU. Never rejects for what the driver says: that is in the readings.
   *
   * @param slowly also those that are taken rarely (the default); at false they are as they were the last time
   */
  read(index: number, slowly?: boolean): Promise<GpuReadings>;
  /**
   * Reads these GPUs one after another and tells of each as soon as may be; several that are read at once may be told
   * together. While one of them takes long the others may be told again, and also later, while an inquiry does. Ends
   * with the first that says the driver has gone away.
   *
   * @param met told of each GPU once in a driver life, before the rest of it is read: a GPU that then hangs is known by name
   * @returns how many GPUs the driver offers by now, null where it does not say: for another number it is to be opened anew
   */
  readAll(indices: readonly number[], options: ReadOptions, told: Told, met?: Met): Promise<number | null>;
  /** The GPU on which a call is running; null between calls, and for calls on the driver. */
  reading(): number | null;
  /** Asks one GPU what no sample holds. Never rejects for what the driver says. */
  inquire<What extends keyof Inquiries>(what: What, index: number): Promise<Inquiries[What]>;
  /** Ends the driver life. */
  close(): Promise<void>;
  /** Gives it up in the middle of a call: nobody waits for it any more, and it closes itself when the call returns. */
  abandon(): void;
  /** How many driver calls have returned so far. As long as it grows the driver is slow, not hung. */
  callsReturned(): number;
}

export interface ReadOptions {
  /** Also the readings that are taken rarely. */
  readonly slowly: boolean;
  /** How often GPUs are read while another one takes long. */
  readonly againMs: number;
}

export type Told = (index: number, readings: GpuReadings, how: HowRead) => void;

export type Met = (index: number, identity: Identity) => void;

/** Who a GPU is. */
export const identityNames = ['name', 'uuid', 'serial', 'pciAddress'] as const;
export type Identity = Pick<GpuReadings, (typeof identityNames)[number]>;

export interface HowRead {
  readonly slowly: boolean;
  /** From the first call to the last: the oldest of the values is that much older. */
  readonly tookMs: number;
  /** Another GPU that takes long, while which it was read; null where it was its turn. */
  readonly between: { readonly index: number; readonly forMs: number } | null;
}

/** Of the readings that change rarely, or that the driver takes long to tell. */
export const slowReadEveryMs = 60_000;

export function driverWentAway(readings: GpuReadings): boolean {
  return Object.values(readings).some(
    (reading: Reading<unknown>) => 'missing' in reading && reading.missing === 'driverUnavailable',
  );
}

/** What is asked of a GPU only when someone wants to know it: the driver takes long to tell, or it rarely changes. */
export interface Inquiries {
  readonly processes: Reading<readonly DriverProcess[]>;
  /** The way to each other GPU of the node, by index. */
  readonly peers: Reading<readonly PeerPath[]>;
  /** Since it was asked last; notReady where that is too short or too long ago. */
  readonly gpm: Reading<GpmReport>;
}

export interface DriverInfo {
  /** Source: nvmlSystemGetDriverVersion. Oracle: nvidia-smi --query-gpu=driver_version */
  readonly driverVersion: Reading<string>;
  /** `12.8`. Source: nvmlSystemGetCudaDriverVersion (not _v2, which loads libcuda). Oracle: nvidia-smi, "CUDA Version" */
  readonly cudaVersion: Reading<string>;
  /** Source: nvmlSystemGetNVMLVersion. Oracle: nvidia-smi --version */
  readonly nvmlVersion: Reading<string>;
  /** Source: nvmlSystemGetConfComputeState. Oracle: nvidia-smi conf-compute -f */
  readonly confidentialComputing: Reading<ConfidentialComputing>;
  /** GPUs that the driver offers this process. Source: nvmlDeviceGetCount_v2. Oracle: nvidia-smi --query-gpu=count */
  readonly gpuCount: number;
}

export interface ConfidentialComputing {
  readonly environment: 'unavailable' | 'simulation' | 'production' | `unknown${number}`;
  readonly enabled: boolean;
  readonly devTools: boolean;
}

/** How one driver takes each reading. */
export type Readers = { readonly [Name in keyof GpuReadings]: () => GpuReadings[Name] };

/** What one GPU has said in this driver life that need not be asked for again: see `takeReadings`. */
export interface Remembered {
  /** For good: a name, a threshold. */
  readonly settled: Map<keyof GpuReadings, Reading<unknown>>;
  /** Until the slow readings are taken again. The lack of a feature, too: it can come with MIG and end with it. */
  readonly slow: Map<keyof GpuReadings, Reading<unknown>>;
  /** Made of both, so that a quick sample looks at nothing but what it asks for. */
  quick?: { readonly known: Taken; readonly asked: readonly (keyof GpuReadings)[] } | undefined;
}

type Taken = Partial<Record<keyof GpuReadings, Reading<unknown>>>;

export function nothingRemembered(): Remembered {
  return { settled: new Map(), slow: new Map() };
}

const absent: ReadonlySet<Missing> = new Set(['notSupported', 'notSupportedByDriver']);
const gpuLost = { missing: 'gpuLost' } as const;

/**
 * Takes every reading once. What cannot change in a driver life is asked for once and then remembered; the slow readings
 * are taken when `slowly` is true, and are else those of the last time. Once the GPU is lost nothing more is asked of it:
 * each call could block; and what was remembered for a while is forgotten.
 */
export function takeReadings(readers: Readers, own: Remembered, slowly = true): GpuReadings {
  const quick = slowly ? undefined : own.quick;
  const taken: Taken = { ...quick?.known };
  let lost = false;
  let learnt = !quick;
  for (const name of quick?.asked ?? readingNames) {
    const reading: Reading<unknown> = own.settled.get(name) ?? (lost ? gpuLost : readers[name]());
    if (remember(own, name, reading)) learnt = true;
    lost ||= isLoss(reading);
    taken[name] = reading;
  }
  if (lost) forget(own, taken, quick?.known);
  else if (learnt) own.quick = quickOf(own);
  return taken as GpuReadings;
}

/** Of a GPU that has not been read yet: who it is. */
export function takeIdentity(readers: Pick<Readers, keyof Identity>, own: Remembered): Identity {
  let lost = false;
  const taken = identityNames.map((name) => {
    const reading: Reading<string> = lost ? gpuLost : readers[name]();
    remember(own, name, reading);
    lost ||= isLoss(reading);
    return [name, reading];
  });
  return Object.fromEntries(taken);
}

/** @returns whether it need not be asked for the next time */
function remember(
  { settled, slow }: Remembered,
  name: keyof GpuReadings,
  reading: Reading<unknown>,
): boolean {
  if (isSettled(name, reading)) settled.set(name, reading);
  else if (lasts(name, reading)) slow.set(name, reading);
  else return slow.delete(name);
  return true;
}

function quickOf({ settled, slow }: Remembered): NonNullable<Remembered['quick']> {
  return {
    known: Object.fromEntries([...settled, ...slow]),
    asked: readingNames.filter((name) => !settled.has(name) && !slow.has(name)),
  };
}

/** The GPU is lost: what was remembered for a while is no more. What this sample itself has read before is still told. */
function forget(own: Remembered, taken: Taken, notAsked: Taken = {}): void {
  for (const name of own.slow.keys()) if (name in notAsked) taken[name] = gpuLost;
  own.slow.clear();
  own.quick = undefined;
}

function isLoss(reading: Reading<unknown>): boolean {
  return 'missing' in reading && reading.missing === 'gpuLost';
}

/** What is asked for again at once: that it is over shall not be told a minute late. */
const passing: ReadonlySet<Missing> = new Set(['notReady', 'gpuLost', 'resetRequired', 'driverUnavailable']);

/**
 * Whether it is told until the slow readings are taken again, and so is as old as they are. Of what takes the driver long
 * also that it has failed: a driver in trouble is not asked for it ten times as often as one that is well.
 */
export function lasts(name: keyof GpuReadings, reading: Reading<unknown>): boolean {
  if (isAbsent(reading)) return true;
  if ('value' in reading) return slowReadings.has(name);
  if (settledReadings.has(name) && reading.missing === 'noData') return true;
  return (slowReadings.has(name) || name === readsFlash) && !passing.has(reading.missing);
}

const readsFlash = 'inforomValid';

function isSettled(name: keyof GpuReadings, reading: Reading<unknown>): boolean {
  return settledReadings.has(name) && ('value' in reading || isAbsent(reading));
}

/** The driver says that there is none: no failure, but an answer. */
export function isAbsent(reading: Reading<unknown>): boolean {
  return 'missing' in reading && absent.has(reading.missing);
}

/** A GPU of which nothing can be read, but what is known for good. */
export function unreadable(
  missing: Missing,
  known?: Iterable<readonly [string, Reading<unknown>]>,
): GpuReadings {
  const none = Object.fromEntries(readingNames.map((name) => [name, { missing }]));
  return { ...none, ...Object.fromEntries(known ?? []) } as unknown as GpuReadings;
}
