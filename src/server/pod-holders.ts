import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';

/** The container that was given a device. */
export interface Holder {
  readonly container: string;
  readonly namespace: string;
  readonly pod: string;
}

/** A container and the ids of the GPUs it was given, as a device plugin or a DRA driver named them. */
export interface Allocation extends Holder {
  readonly devices: readonly string[];
}

/**
 * Who has which GPU, asked by GPU. A GPU that several containers share (time slicing, MPS) or that is in parts (MIG) has no holder:
 * its readings are nobody's alone, and one series for each sharer would count them several times.
 */
export function holders(allocations: readonly Allocation[]): (gpu: GpuState) => Holder | undefined {
  const byGpu = new Map<string, Holder[]>();
  for (const { devices, ...holder } of allocations)
    for (const key of new Set(devices.flatMap((id) => gpuNamed(id) ?? [])))
      byGpu.set(key, [...(byGpu.get(key) ?? []), holder]);
  return ({ index, readings }) => {
    const named = [orNull(readings.uuid)?.toLowerCase(), `nvidia${index}`];
    const [holder, ...others] = named.flatMap((key) => byGpu.get(key ?? '') ?? []);
    return others.length > 0 ? undefined : holder;
  };
}

/**
 * The GPU that a device id names: `GPU-…`, `GPU-…::3` (a replica under time slicing), `nvidia0` and `nvidia0/vgpu1` (GKE),
 * `nvidia.com/gpu=GPU-…` (CDI). Not by that of an instance (`nvidia0/gi1`, `MIG-…`): its holder has a part of the GPU only.
 */
function gpuNamed(id: string): string | undefined {
  return /^(?:[^=]*=)?(GPU-[\da-f-]{36}|nvidia\d{1,4})(?:$|::|\/vgpu\d)/i.exec(id)?.[1]?.toLowerCase();
}
