import type { MigDevice } from '../../core/mode-readings.ts';
import type { DeviceHolder, DriverProcess, GivenPart } from '../../core/process.ts';
import { orNull } from '../../core/reading.ts';
import type { GpuState } from '../../core/snapshot.ts';
import { mayBeClaimed, sharers } from '../pod-holders.ts';
import type { Given } from '../pod-resources.ts';

/** What the kubelet says of GPUs. */
export interface GpuHolders {
  /** Every container that was given the GPU or a part of it. */
  ofGpu(gpu: GpuState): readonly DeviceHolder[];
  /** Those that were given what the process uses: under MIG a part of the GPU. */
  ofProcess(gpu: GpuState, process: DriverProcess): readonly DeviceHolder[];
  /** Whether the GPU, or a part of it, can be given to pods; null where that is not told. */
  offers(gpu: GpuState): boolean | null;
}

export const silentKubelet: GpuHolders = { ofGpu: () => [], ofProcess: () => [], offers: () => null };

export function gpuHolders({ allocations, offered }: Pick<Given, 'allocations' | 'offered'>): GpuHolders {
  const named = sharers(allocations);
  /** What can be claimed is not among what is offered. */
  const hasClaims = allocations.some(({ devices }) => devices.some((id) => id.startsWith('gpu.nvidia.com/')));
  const nobody = { namespace: '', pod: '', container: '' };
  const claims = (gpu: GpuState) => named(claimedPartsOf(gpu)).map((holder) => withInstances(holder, gpu));
  const offeredTo = offered && sharers([{ ...nobody, devices: offered }]);
  return {
    ofGpu: (gpu) => [
      ...named(namesOf(gpu)),
      ...partsOf(gpu).flatMap((part) =>
        named(namesOfPart(gpu, part)).map((holder) => ({ ...holder, part: givenPart(part) })),
      ),
      ...claims(gpu),
    ],
    ofProcess(gpu, process) {
      const whole = named(namesOf(gpu));
      if (process.gpuInstanceId === null) return whole;
      const part = partOf(gpu, process);
      const sure = part ? named(namesOfPart(gpu, part)) : [];
      const ofPart = sure.length > 0 ? sure : claimantsOf(part, partsOf(gpu), claims(gpu), whole);
      return [...new Set([...ofPart, ...whole])]; // who has the whole GPU has each of its parts
    },
    offers: (gpu) => {
      const names = [...namesOf(gpu), ...partsOf(gpu).flatMap((part) => namesOfPart(gpu, part))];
      const isOffered = offeredTo && offeredTo(names).length > 0;
      return isOffered || !hasClaims ? isOffered : null;
    },
  };
}

/** A claim tells its profile and not its instances: they are known where only one part has that profile. */
function withInstances(holder: DeviceHolder, gpu: GpuState): DeviceHolder {
  const device = holder.part?.device ?? null;
  const [only, ...others] = partsOf(gpu).filter(({ name }) => mayBeClaimed(orNull(name), device));
  return only && others.length === 0 ? { ...holder, part: { ...givenPart(only), device } } : holder;
}

/** One holder alone would be taken for that of each of several parts that are alike. */
function claimantsOf(
  used: MigDevice | undefined,
  parts: readonly MigDevice[],
  claims: readonly DeviceHolder[],
  besides: readonly DeviceHolder[],
): readonly DeviceHolder[] {
  const mayHave = (one: MigDevice, { part }: DeviceHolder) =>
    mayBeClaimed(orNull(one.name), part?.device ?? null);
  const claimants = claims.filter((claim) => !used || mayHave(used, claim));
  const sure = claimants.filter(({ part }) => used && part?.gpuInstanceId != null);
  if (sure.length > 0) return sure;
  const [one, ...others] = claimants;
  const alike = one ? parts.filter((part) => mayHave(part, one)).length : 0;
  return others.length + besides.length === 0 && alike > 1 ? [] : claimants;
}

function namesOf({ readings: { uuid, minorNumber } }: GpuState): (string | null)[] {
  const minor = orNull(minorNumber);
  return [orNull(uuid), minor === null ? null : `nvidia${minor}`];
}

/** As NVIDIA's device plugin names a MIG device, and as that of GKE does: by GPU instance. */
function namesOfPart({ readings }: GpuState, { uuid, gpuInstanceId }: MigDevice): (string | null)[] {
  const [minor, instance] = [orNull(readings.minorNumber), orNull(gpuInstanceId)];
  return [orNull(uuid), minor === null || instance === null ? null : `nvidia${minor}/gi${instance}`];
}

function claimedPartsOf({ readings: { minorNumber } }: GpuState): string[] {
  const minor = orNull(minorNumber);
  return minor === null ? [] : [`nvidia${minor}/mig`];
}

function partsOf({ readings: { migDevices } }: GpuState): readonly MigDevice[] {
  return orNull(migDevices) ?? [];
}

function partOf(gpu: GpuState, process: DriverProcess): MigDevice | undefined {
  return partsOf(gpu).find(
    ({ gpuInstanceId, computeInstanceId }) =>
      process.gpuInstanceId !== null &&
      orNull(gpuInstanceId) === process.gpuInstanceId &&
      orNull(computeInstanceId) === process.computeInstanceId,
  );
}

function givenPart({ uuid, gpuInstanceId, computeInstanceId }: MigDevice): GivenPart {
  return {
    device: orNull(uuid),
    gpuInstanceId: orNull(gpuInstanceId),
    computeInstanceId: orNull(computeInstanceId),
  };
}
