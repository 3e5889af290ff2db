import type { MigDevice } from '../../core/mode-readings.ts';
import type { DeviceHolder, DriverProcess, GivenPart } from '../../core/process.ts';
import { orNull } from '../../core/reading.ts';
import type { GpuState } from '../../core/snapshot.ts';
import { sharers } from '../pod-holders.ts';
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

export function gpuHolders({ allocations, offered }: Given): GpuHolders {
  const named = sharers(allocations);
  const nobody = { namespace: '', pod: '', container: '' };
  const offeredTo = offered && sharers([{ ...nobody, devices: offered }]);
  return {
    ofGpu: (gpu) => [
      ...named(namesOf(gpu)),
      ...partsOf(gpu).flatMap((part) =>
        named(namesOfPart(gpu, part)).map((holder) => ({ ...holder, part: givenPart(part) })),
      ),
      ...named(claimedPartsOf(gpu)),
    ],
    ofProcess(gpu, process) {
      const part = partOf(gpu, process);
      const sure = named(part ? namesOfPart(gpu, part) : namesOf(gpu));
      return process.gpuInstanceId === null || sure.length > 0
        ? sure
        : candidates(gpu, named(claimedPartsOf(gpu)));
    },
    offers: (gpu) => {
      const names = [...namesOf(gpu), ...partsOf(gpu).flatMap((part) => namesOfPart(gpu, part))];
      return offeredTo && offeredTo(names).length > 0;
    },
  };
}

/** Which part a claim is of is not told: one holder alone would be taken for that of each. */
function candidates(gpu: GpuState, claimed: readonly DeviceHolder[]): readonly DeviceHolder[] {
  return claimed.length === 1 && partsOf(gpu).length > 1 ? [] : claimed;
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
