import { type DriverInfo, type Remembered, takeReadings, unreadable } from '../../core/driver.ts';
import { Fault } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import { faultForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { map } from '../../core/reading.ts';
import { type Device, initFlags } from './abi.ts';
import { nvmlReaders } from './gpu.ts';
import { type OpenLibrary, openLibrary } from './library.ts';
import { read, readNumber, readText } from './read.ts';

/** NVML, called synchronously: each call blocks its thread, for ever if the driver hangs. Only worker.ts makes one. */
export interface NvmlDriver {
  open(): DriverInfo;
  read(index: number): GpuReadings;
  close(): void;
}

export function nvmlDriver(path: string | undefined, onReturn: () => void): NvmlDriver {
  let library: OpenLibrary | undefined;
  let remembered: Remembered[] = [];

  function close(): void {
    library?.nvml.shutdown();
    library?.unload();
    library = undefined;
  }

  return {
    open() {
      close();
      remembered = [];
      library = openLibrary(path, onReturn);
      try {
        return started(library);
      } catch (fault) {
        close();
        throw fault;
      }
    },

    read(index) {
      if (!library) return unreadable('driverUnavailable');
      const { nvml } = library;
      const own = remembered[index] ?? new Map();
      remembered[index] = own;
      const device = read(
        [null] as [Device | null],
        (out) => nvml.deviceByIndex(index, out),
        ([handle]) => handle as Device, // NVML fills it on success
      );
      if ('missing' in device) return unreadable(device.missing, Object.fromEntries(own));
      return takeReadings(nvmlReaders(nvml, device.value), own);
    },

    close,
  };
}

function started({ nvml, path }: OpenLibrary): DriverInfo {
  const initialised = nvml.initWithFlags(initFlags.NO_GPUS);
  if (initialised !== nvmlReturn.SUCCESS) throw refused('nvmlInitWithFlags', initialised, path);
  const count: [number] = [0];
  const counted = nvml.deviceCount(count);
  if (counted !== nvmlReturn.SUCCESS) throw refused('nvmlDeviceGetCount_v2', counted, path);
  return {
    driverVersion: readText(80, (version, length) => nvml.systemDriverVersion(version, length)),
    cudaVersion: map(
      readNumber((out) => nvml.systemCudaDriverVersion(out)),
      (version) => `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
    ),
    gpuCount: count[0],
  };
}

function refused(symbol: string, code: number, path: string): Fault {
  return new Fault(`${symbol} of ${path} returned ${code}`, { code: faultForCode(code) });
}
