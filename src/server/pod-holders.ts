import type { DeviceHolder } from '../core/process.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';

/** Who has a GPU. */
export type HolderOf = (gpu: GpuState) => DeviceHolder | undefined;

/** A container and the names of the GPUs it was given: a device plugin's ids, a claim's CDI names and `DRIVER/DEVICE`. */
export interface Allocation extends DeviceHolder {
  readonly devices: readonly string[];
}

/**
 * Who has which GPU, asked by GPU. A GPU that several containers share (time slicing, MPS) or that is in parts (MIG) has no holder:
 * its readings are nobody's alone, and one series for each sharer would count them several times.
 */
export function holders(allocations: readonly Allocation[]): HolderOf {
  const byGpu = new Map<string, DeviceHolder[]>();
  for (const { devices, ...holder } of allocations)
    for (const key of new Set(devices.flatMap((id) => gpuNamed(id) ?? [])))
      byGpu.set(key, [...(byGpu.get(key) ?? []), holder]);
  return ({ readings: { uuid, minorNumber } }) => {
    const keys = [orNull(uuid)?.toLowerCase(), `nvidia${orNull(minorNumber)}`];
    const [holder, ...others] = new Set(keys.flatMap((key) => byGpu.get(key ?? '') ?? []));
    return others.length > 0 ? undefined : holder;
  };
}

/**
 * The GPU that a device id names, by UUID or device file: `GPU-…`, `GPU-…::3` (a replica under time slicing), `nvidia0` and
 * `nvidia0/vgpu1` (GKE), `nvidia.com/gpu=GPU-…` (CDI), `gpu.nvidia.com/gpu-0` (DRA). Not by that of an instance
 * (`nvidia0/gi1`, `MIG-…`, `gpu.nvidia.com/gpu-0-mig-…`): its holder has a part of the GPU only.
 *
 * NVIDIA's DRA driver names a GPU by its minor number. Source: NVIDIA/k8s-dra-driver-gpu, GpuInfo.CanonicalName, in every
 * release from v25.3.0 on; pre-releases up to v25.3.0-rc.4 counted by index.
 */
function gpuNamed(id: string): string | undefined {
  const claimed = /^gpu\.nvidia\.com\/gpu-(\d{1,4})$/.exec(id);
  if (claimed) return `nvidia${claimed[1]}`;
  return /^(?:[^=]*=)?(GPU-[\da-f-]{36}|nvidia\d{1,4})(?:$|::|\/vgpu\d)/i.exec(id)?.[1]?.toLowerCase();
}

/**
 * Every container that was given a GPU or a part of it, by the device's name: a GPU's UUID or device file, a MIG device's UUID
 * or `nvidia0/gi7`, and `nvidia0/mig` for the parts of a GPU that claims name.
 */
export type HoldersOf = (names: readonly (string | null)[]) => readonly DeviceHolder[];

export function sharers(allocations: readonly Allocation[]): HoldersOf {
  const byDevice = new Map<string, DeviceHolder[]>();
  const add = (key: string, holder: DeviceHolder) =>
    byDevice.set(key, [...(byDevice.get(key) ?? []), holder]);
  for (const { devices, ...holder } of allocations) {
    for (const key of new Set(devices.flatMap((id) => gpuNamed(id) ?? migNamed(id) ?? []))) add(key, holder);
    for (const [parts, device] of [...new Set(devices)].flatMap(partClaimed))
      add(parts, { ...holder, part: { device, gpuInstanceId: null, computeInstanceId: null } });
  }
  return (names) => [
    ...new Set(names.flatMap((name) => (name === null ? [] : (byDevice.get(name.toLowerCase()) ?? [])))),
  ];
}

/**
 * `MIG-…` (`MIG-GPU-…/7/0` before R470), and with CDI `nvidia.com/gpu=MIG-…`; on GKE `nvidia0/gi7`, by the number of the
 * device file and the GPU instance.
 *
 * Source: GoogleCloudPlatform/container-engine-accelerators, pkg/gpu/nvidia/mig/mig.go
 */
function migNamed(id: string): string | undefined {
  const [, uuid] =
    /^(?:[^=]*=)?(MIG-[\da-f-]{36}|MIG-GPU-[\da-f-]{36}\/\d{1,4}\/\d{1,4})(?:$|::)/i.exec(id) ?? [];
  const [, instance] = /^(nvidia\d{1,4}\/gi\d{1,4})(?:$|\/vgpu\d)/.exec(id) ?? [];
  return (uuid ?? instance)?.toLowerCase();
}

/**
 * `gpu-0-mig-1g10gb-19-0`, and `gpu-0-mig-19-0-1` before: profile and placement, and not which instance that is.
 *
 * Source: NVIDIA/k8s-dra-driver-gpu, MigSpecTuple.ToCanonicalName and MigDeviceInfo.CanonicalName
 */
function partClaimed(id: string): [parts: string, device: string][] {
  const [, device, minor] = /^gpu\.nvidia\.com\/(gpu-(\d{1,4})-mig-[\da-z-]+)$/.exec(id) ?? [];
  return device === undefined ? [] : [[`nvidia${minor}/mig`, device]];
}

/**
 * Whether a part with this name, `NVIDIA H100 80GB HBM3 MIG 1g.10gb+me`, may be what a claim calls `gpu-0-mig-1g10gb-me-20-0`:
 * unless both tell their profiles, and these differ.
 */
export function mayBeClaimed(name: string | null, device: string | null): boolean {
  const [, profile] = / MIG (?:\dc\.)?(\dg\..*)$/.exec(name ?? '') ?? [];
  const [, claimed] = /^gpu-\d+-mig-(\dg.*)-\d+-\d+$/.exec(device ?? '') ?? [];
  if (profile === undefined || claimed === undefined) return true;
  return (
    profile
      .toLowerCase()
      .replaceAll('.', '')
      .replace(/[^a-z\d-]/g, '-') === claimed
  );
}
