import {
  type ConfidentialComputing,
  type DriverInfo,
  type Identity,
  type Inquiries,
  nothingRemembered,
  type Remembered,
  takeIdentity,
  takeReadings,
  unreadable,
} from '../../core/driver.ts';
import { Fault } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import { faultForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { map, orNull, type Reading } from '../../core/reading.ts';
import { type Device, initFlags, type Nvml, structs } from './abi.ts';
import { freeGpm, type GpmMemory, nvmlGpm } from './gpm.ts';
import { nvmlReaders } from './gpu.ts';
import { identityReaders } from './identity-readers.ts';
import { type CallWatch, type OpenLibrary, openLibrary } from './library.ts';
import { nvmlPeers } from './peers.ts';
import { nvmlProcesses, type ProcessMemory } from './processes.ts';
import { deviceAt, readNumber, readStruct, readText, roomForWhole, wholeIn } from './read.ts';

/** NVML, called synchronously: each call blocks its thread, for ever if the driver hangs. Only worker.ts makes one. */
export interface NvmlDriver {
  open(): DriverInfo;
  /** Who the GPU is: what is then remembered. */
  meet(index: number): Reading<Identity>;
  /** @param slowly also the readings that are taken rarely */
  read(index: number, slowly?: boolean): GpuReadings;
  inquire<What extends keyof Inquiries>(what: What, index: number): Inquiries[What];
  /** How many GPUs there are by now; null where the driver does not say. */
  count(): number | null;
  close(): void;
}

export function nvmlDriver(path: string | undefined, watch: CallWatch): NvmlDriver {
  let library: OpenLibrary | undefined;
  let initialised = false;
  let remembered: Remembered[] = [];
  const memories = new Map<number, Memory>();

  // NVML counts inits for the whole process: one too few leaves the old driver in use, one too many takes it from others.
  function close(): void {
    if (initialised && library) {
      for (const { gpm } of memories.values()) freeGpm(library.nvml, gpm);
      library.nvml.shutdown();
    }
    initialised = false;
    memories.clear();
    library?.unload();
    library = undefined;
  }

  function ownOf(index: number): Remembered {
    const own = remembered[index] ?? nothingRemembered();
    remembered[index] = own;
    return own;
  }

  return {
    open() {
      close();
      remembered = [];
      library = openLibrary(path, watch);
      try {
        demand('nvmlInitWithFlags', library.nvml.initWithFlags(initFlags.NO_GPUS), library);
        initialised = true;
        return described(library);
      } catch (fault) {
        close();
        throw fault;
      }
    },

    meet: (index) => (library ? identityOf(library.nvml, index, ownOf(index)) : absent),

    read: (index, slowly = true) =>
      library ? readingsOf(library.nvml, index, ownOf(index), slowly) : unreadable(absent.missing),

    inquire<What extends keyof Inquiries>(what: What, index: number): Inquiries[What] {
      const device = library ? deviceAt(library.nvml, index) : absent;
      if (!library || 'missing' in device) return device as Inquiries[What];
      const memory = memories.get(index) ?? { processes: { lastSeen: 0n, told: new Map() }, gpm: new Map() };
      memories.set(index, memory);
      return inquiries[what]({ nvml: library.nvml, device: device.value, index, memory });
    },

    count: () => (library ? orNull(countOf(library.nvml)) : null),

    close,
  };
}

const absent = { missing: 'driverUnavailable' } as const;

function identityOf(nvml: Nvml, index: number, own: Remembered): Reading<Identity> {
  return map(deviceAt(nvml, index), (device) => takeIdentity(identityReaders(nvml, device), own));
}

function readingsOf(nvml: Nvml, index: number, own: Remembered, slowly: boolean): GpuReadings {
  const device = deviceAt(nvml, index);
  if ('missing' in device) return unreadable(device.missing, own.settled);
  const wanted = (name: keyof GpuReadings) => !own.settled.has(name) && (slowly || !own.slow.has(name));
  return takeReadings(nvmlReaders(nvml, device.value, wanted), own, slowly);
}

/** Of one GPU, from one question to the next. */
interface Memory {
  readonly processes: ProcessMemory;
  readonly gpm: GpmMemory;
}

interface Inquiry {
  readonly nvml: Nvml;
  readonly device: Device;
  readonly index: number;
  readonly memory: Memory;
}

/** How NVML answers each question. */
const inquiries: { readonly [What in keyof Inquiries]: (inquiry: Inquiry) => Inquiries[What] } = {
  processes: ({ nvml, device, memory }) => nvmlProcesses(nvml, device, memory.processes),
  gpm: ({ nvml, device, memory }) => nvmlGpm(nvml, device, memory.gpm),
  peers: ({ nvml, device, index }) => {
    const count = countOf(nvml);
    if ('missing' in count) return count;
    const others = Array.from({ length: count.value }, (_, other) => other).flatMap((other) => {
      const found = deviceAt(nvml, other);
      return other === index || 'missing' in found ? [] : [{ index: other, device: found.value }];
    });
    return { value: nvmlPeers(nvml, device, others) };
  },
};

function countOf(nvml: Nvml): Reading<number> {
  return readNumber((out) => nvml.deviceCount(out));
}

function described(library: OpenLibrary): DriverInfo {
  const { nvml } = library;
  const count = roomForWhole();
  demand('nvmlDeviceGetCount_v2', nvml.deviceCount(count), library);
  return {
    driverVersion: readText(80, (version, length) => nvml.systemDriverVersion(version, length)),
    cudaVersion: map(
      readNumber((out) => nvml.systemCudaDriverVersion(out)),
      (version) => `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
    ),
    nvmlVersion: readText(80, (version, length) => nvml.systemNvmlVersion(version, length)),
    confidentialComputing: confidentialComputing(nvml),
    gpuCount: wholeIn(count),
  };
}

const environments = ['unavailable', 'simulation', 'production'] as const;

function confidentialComputing(nvml: Nvml): Reading<ConfidentialComputing> {
  return readStruct(
    structs.nvmlConfComputeSystemState_t,
    (out) => nvml.systemConfComputeState(out),
    (state: Record<'environment' | 'ccFeature' | 'devToolsMode', number>) => ({
      environment: environments[state.environment] ?? `unknown${state.environment}`,
      enabled: state.ccFeature !== 0,
      devTools: state.devToolsMode !== 0,
    }),
  );
}

function demand(symbol: string, code: number, { path }: OpenLibrary): void {
  if (code === nvmlReturn.SUCCESS) return;
  throw new Fault(`${symbol} of ${path} returned ${code}`, { code: faultForCode(code) });
}
