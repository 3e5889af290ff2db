import koffi from 'koffi';

import {
  type GpmActivity,
  type GpmMetric,
  type GpmReport,
  gpmMetricNames,
  gpmMetrics,
  leastGpmWindowMs,
  mostGpmWindowMs,
} from '../../core/gpm.ts';
import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import type { Reading } from '../../core/reading.ts';
import { type Device, type GpmSample, gpmVersion, type Nvml, noInstance, structs } from './abi.ts';
import { gpuInstancesOf } from './mode-readers.ts';
import { read, readStruct } from './read.ts';

/** The last sample of one GPU, and of each MIG GPU instance on it, by its id. */
export type GpmMemory = Map<number, Taken>;

interface Taken {
  readonly sample: GpmSample;
  readonly atMs: number;
  /** What was told with it. */
  readonly activity: Reading<GpmActivity>;
}

/**
 * What the GPU and the MIG instances on it did since they were asked last.
 *
 * Source: nvmlGpmQueryDeviceSupport, nvmlGpmSampleGet, nvmlGpmMigSampleGet, nvmlGpmMetricsGet
 */
export function nvmlGpm(nvml: Nvml, device: Device, memory: GpmMemory): Reading<GpmReport> {
  const supported = readStruct(
    structs.nvmlGpmSupport_t,
    (out) => nvml.gpmSupport(device, out),
    ({ isSupportedDevice }: { isSupportedDevice: number }) => isSupportedDevice !== 0,
    gpmVersion,
  );
  if ('missing' in supported) return supported;
  if (!supported.value) return { missing: 'notSupported' };
  const whole = activitySince(nvml, memory, noInstance, (sample) => nvml.gpmSampleGet(device, sample));
  const instances = gpuInstancesOf(nvml, device).map((gpuInstanceId) => ({
    gpuInstanceId,
    activity: activitySince(nvml, memory, gpuInstanceId, (sample) =>
      nvml.gpmMigSampleGet(device, gpuInstanceId, sample),
    ),
  }));
  return { value: { whole, instances } };
}

/** Gives back what NVML allocated: it is not freed when the library is shut down. */
export function freeGpm(nvml: Nvml, memory: GpmMemory): void {
  for (const { sample } of memory.values()) nvml.gpmSampleFree(sample);
}

function activitySince(
  nvml: Nvml,
  memory: GpmMemory,
  instance: number,
  take: (sample: GpmSample) => number,
): Reading<GpmActivity> {
  const before = memory.get(instance);
  const atMs = performance.now();
  if (before && atMs - before.atMs <= leastGpmWindowMs) return before.activity;
  const taken = takenSample(nvml, take);
  if ('missing' in taken) return taken;
  const sample = taken.value;
  const windowMs = before ? atMs - before.atMs : Number.POSITIVE_INFINITY;
  const activity: Reading<GpmActivity> =
    before && windowMs <= mostGpmWindowMs
      ? activityBetween(nvml, before.sample, sample, windowMs)
      : { missing: 'notReady' };
  if (before) nvml.gpmSampleFree(before.sample);
  memory.set(instance, { sample, atMs, activity });
  return activity;
}

function takenSample(nvml: Nvml, take: (sample: GpmSample) => number): Reading<GpmSample> {
  const allocated = read(
    [null] as [GpmSample | null],
    (out) => nvml.gpmSampleAlloc(out),
    ([sample]) => sample as GpmSample, // NVML fills it on success
  );
  if ('missing' in allocated) return allocated;
  const code = take(allocated.value);
  if (code === nvmlReturn.SUCCESS) return allocated;
  nvml.gpmSampleFree(allocated.value);
  return { missing: missingForCode(code) };
}

const head = (member: string) => koffi.offsetof(structs.nvmlGpmMetricsGet_t, member);
const metricBytes = koffi.sizeof(structs.nvmlGpmMetric_t);
const inMetric = (index: number, member: string) =>
  head('metrics') + metricBytes * index + koffi.offsetof(structs.nvmlGpmMetric_t, member);

function activityBetween(
  nvml: Nvml,
  first: GpmSample,
  second: GpmSample,
  windowMs: number,
): Reading<GpmActivity> {
  const asked = Buffer.alloc(koffi.sizeof(structs.nvmlGpmMetricsGet_t));
  asked.writeUInt32LE(gpmVersion, head('version'));
  asked.writeUInt32LE(gpmMetricNames.length, head('numMetrics'));
  asked.writeBigUInt64LE(first, head('sample1'));
  asked.writeBigUInt64LE(second, head('sample2'));
  for (const [index, name] of gpmMetricNames.entries())
    asked.writeUInt32LE(gpmMetrics[name], inMetric(index, 'metricId'));
  return read(
    asked,
    (out) => nvml.gpmMetricsGet(out),
    (out) => ({
      windowMs: Math.round(windowMs),
      metrics: Object.fromEntries(
        gpmMetricNames.map((name, index) => [name, metricAt(out, index)]),
      ) as Record<GpmMetric, Reading<number>>,
    }),
  );
}

function metricAt(out: Buffer, index: number): Reading<number> {
  const code = out.readInt32LE(inMetric(index, 'nvmlReturn'));
  if (code !== nvmlReturn.SUCCESS) return { missing: missingForCode(code) };
  const value = out.readDoubleLE(inMetric(index, 'value'));
  return Number.isFinite(value) ? { value } : { missing: 'noData' }; // nothing was counted between the samples
}
