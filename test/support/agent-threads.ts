import type { TestContext } from 'vitest';

import {
  type Driver,
  type DriverInfo,
  driverWentAway,
  type HowRead,
  unreadable,
} from '../../src/core/driver.ts';
import type { Fault } from '../../src/core/fault.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import { createLog } from '../../src/core/log.ts';
import { type Sampler, type SamplerOptions, startSampler } from '../../src/server/sampler.ts';

/** A driver that does as it is told, and what its threads did. */
export interface ToldDriver {
  /** How many GPUs it offers. */
  gpus: number;
  temperatureC: number;
  /** Calls on these GPUs, or opening, do not return until they are let go. */
  readonly hanging: Set<number | 'open'>;
  /** How long such a call takes if it is not let go. */
  hangMs: number;
  /** What opening fails with. */
  refuses: Fault | undefined;
  /** In so many lives every reading says that the driver has gone away. */
  goneLives: number;
  /** While a call hangs others return: the driver is slow and not hung. */
  slow: boolean;
  /** Each GPU is said to have been read while another one takes long. */
  between: HowRead['between'];
  spawned: number;
  abandoned: number;
  opened: number;
}

const info: DriverInfo = {
  driverVersion: { value: '580.126.20' },
  cudaVersion: { value: '13.0' },
  nvmlVersion: { value: '13.580.126.20' },
  confidentialComputing: { missing: 'notSupported' },
  gpuCount: 0,
};

/** A sampler on such a driver; it is stopped, and every call let go, when the test ends. */
export function samplerOf(
  test: TestContext,
  told: Partial<ToldDriver> = {},
  options: Partial<Pick<SamplerOptions, 'hangAfterMs' | 'intervalMs' | 'onRound'>> = {},
): { sampler: Sampler; driver: ToldDriver; log: string[] } {
  const driver: ToldDriver = {
    gpus: 2,
    temperatureC: 40,
    hanging: new Set(),
    hangMs: Number.POSITIVE_INFINITY,
    refuses: undefined,
    goneLives: 0,
    slow: false,
    between: null,
    spawned: 0,
    abandoned: 0,
    opened: 0,
    ...told,
  };
  const log: string[] = [];
  const sampler = startSampler({
    spawn: () => threadOf(driver),
    simulated: false,
    intervalMs: () => 10,
    hangAfterMs: 200,
    nowMs: () => performance.now(),
    log: createLog('debug', (line) => void log.push(line)),
    ...options,
  });
  test.onTestFinished(() => {
    sampler.stop();
    driver.hanging.clear();
  });
  return { sampler, driver, log };
}

/** What is known of each GPU: its temperature, or what ails it. */
export function seen(sampler: Sampler): (number | string)[] {
  return sampler.snapshot().gpus.map(({ readings: { temperatureC }, trouble }) => {
    if (trouble) return trouble.kind;
    return 'value' in temperatureC ? temperatureC.value : temperatureC.missing;
  });
}

function threadOf(driver: ToldDriver): Driver {
  driver.spawned++;
  let returned = 0;
  const freed = async (what: number | 'open') => {
    const sinceMs = performance.now();
    while (driver.hanging.has(what) && performance.now() - sinceMs < driver.hangMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (driver.slow) returned++;
    }
    returned++;
  };
  let reading: number | null = null;
  const read = async (index: number) => {
    await freed(index);
    return driver.opened <= driver.goneLives
      ? unreadable('driverUnavailable')
      : readingsOf(index, driver.temperatureC);
  };
  return {
    async open() {
      await freed('open');
      if (driver.refuses) throw driver.refuses;
      driver.opened++;
      return { ...info, gpuCount: driver.gpus };
    },
    read,
    async readAll(indices, { slowly }, told) {
      for (const index of indices) {
        reading = index;
        const readings = await read(index);
        reading = null;
        told(index, readings, { slowly, tookMs: 0, between: driver.between });
        if (driverWentAway(readings)) break;
      }
      return driver.gpus;
    },
    reading: () => reading,
    inquire: () => Promise.reject(new Error('nobody asks this driver')),
    close: async () => undefined,
    abandon: () => void driver.abandoned++,
    callsReturned: () => returned,
  };
}

function readingsOf(index: number, temperatureC: number): GpuReadings {
  return {
    ...unreadable('notSupported'),
    uuid: { value: `GPU-${index}` },
    pciAddress: { value: `0000:0${index}:00.0` },
    temperatureC: { value: temperatureC },
  };
}
