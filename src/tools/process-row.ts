import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import type { MigDevice } from '../core/mode-readings.ts';
import type { DeviceHolder, GpuProcess, ProcessUtilization } from '../core/process.ts';
import { orNull, reasons } from '../core/reading.ts';

export const holder = z.object({
  namespace: z.string(),
  pod: z.string(),
  container: z.string(),
  part: z
    .object({
      device: z.string().nullable(),
      gpuInstanceId: z.number().nullable(),
      computeInstanceId: z.number().nullable(),
    })
    .nullish()
    .describe('the MIG device that it was given'),
});
export type Holder = z.output<typeof holder>;

export const processRow = z.object({
  pid: z.int(),
  comm: z.string().nullable().describe('name of the program; its arguments and environment are never read'),
  kinds: z.array(z.string()).describe('compute, graphics or mps'),
  usedBytes: z.number().nullable(),
  gpuInstanceId: z.number().nullable(),
  computeInstanceId: z.number().nullable(),
  migUuid: z.string().nullish().describe('of the MIG device that it runs on'),
  utilization: z
    .object({
      smPercent: z.number(),
      memoryPercent: z.number(),
      encoderPercent: z.number(),
      decoderPercent: z.number(),
      atMs: z.number(),
    })
    .nullable(),
  state: z
    .string()
    .nullable()
    .describe(
      'of its first thread, as ps prints it: D waits in the kernel; Z has ended and is not collected; Zl has ended, other threads run',
    ),
  startedAtMs: z.number().nullable(),
  containerId: z.string().nullable(),
  runtime: z.string().nullable(),
  podUid: z.string().nullable(),
  attribution: z
    .string()
    .describe(
      'device: the one container that was given this GPU; contested: that one, or another whose processes use it, too, or that was given another GPU which this process uses; candidates: one of them; container, host, unknown',
    ),
  holders: z.array(holder),
  left: z.boolean().describe('the driver no longer lists it, and it is still there'),
  waitingMs: z.number().nullish().describe('for how long every look has found one of its threads in state D'),
  missing: z.record(z.string(), z.string()).describe('field → why it is null'),
});
export type ProcessRow = z.output<typeof processRow>;

/** @param migDevices of its GPU */
export function processRowOf(given: GpuProcess, migDevices: readonly MigDevice[] = []): ProcessRow {
  const { pid, kinds, onNode, holders, left, waitingMs, ...process } = given;
  const { usedBytes, utilization, gpuInstanceId, computeInstanceId } = process;
  const { startTick: _, ...told } = onNode;
  const container = orNull(onNode.container);
  const owners = mayBeOfAPod(onNode.container) ? holders : [];
  return {
    pid,
    comm: orNull(onNode.comm),
    kinds: [...kinds],
    usedBytes: orNull(usedBytes),
    gpuInstanceId,
    computeInstanceId,
    migUuid: migUuidOf(process, migDevices),
    utilization: utilizationOf(orNull(utilization)),
    state: orNull(onNode.state),
    startedAtMs: orNull(onNode.startedAtMs),
    containerId: container?.containerId ?? null,
    runtime: container?.runtime ?? null,
    podUid: container?.podUid ?? null,
    attribution: attributionOf(onNode.container, owners),
    holders: owners.map((each) => ({ ...each })),
    left,
    waitingMs: waitingMs === null ? null : Math.round(waitingMs),
    missing: reasons({ usedBytes, utilization, ...told }),
  };
}

function migUuidOf(process: Instances, migDevices: readonly MigDevice[]): string | null {
  const device = migDevices.find((one) => isOfPart(process, instancesOf(one)));
  return device ? orNull(device.uuid) : null;
}

export type Instances = Pick<ProcessRow, 'gpuInstanceId' | 'computeInstanceId'>;

export function instancesOf({ gpuInstanceId, computeInstanceId }: MigDevice): Instances {
  return { gpuInstanceId: orNull(gpuInstanceId), computeInstanceId: orNull(computeInstanceId) };
}

/** Never without MIG, or where the driver does not tell its instances. */
export function isOfPart({ gpuInstanceId, computeInstanceId }: Instances, part: Instances): boolean {
  return (
    gpuInstanceId !== null &&
    gpuInstanceId === part.gpuInstanceId &&
    computeInstanceId === part.computeInstanceId
  );
}

function utilizationOf(utilization: ProcessUtilization | null): ProcessRow['utilization'] {
  return utilization && { ...utilization };
}

/** Whose it is: sure is only what one container alone was given, and a process of no container. */
function attributionOf(container: InContainer, owners: readonly DeviceHolder[]): string {
  if ('value' in container && container.value === null) return 'host';
  if (owners.length === 1) return 'device';
  if (owners.length > 1) return 'candidates';
  return 'missing' in container ? 'unknown' : 'container';
}

type InContainer = GpuProcess['onNode']['container'];

/** Not a process of no container, nor one of plain docker: the pods' containers are below kubepods. */
function mayBeOfAPod(container: InContainer): boolean {
  if ('missing' in container) return true;
  return (
    container.value !== null && !(container.value.runtime === 'docker' && container.value.podUid === null)
  );
}

/**
 * Where the kubelet names one container, and that cannot be right for all: processes of several containers use it, and
 * some see devices that are not theirs; or a process uses also what another container was given.
 *
 * @param elsewhere the pids of such processes
 */
export function contested(rows: readonly ProcessRow[], elsewhere: ReadonlySet<number>): ProcessRow[] {
  const users = groupBy(
    rows.filter(({ containerId, holders }) => containerId !== null && holders.length > 0),
    instanceKey,
  );
  return rows.map((row) => {
    const containers = new Set(users.get(instanceKey(row))?.map(({ containerId }) => containerId));
    const isDoubted = row.attribution === 'device' && (containers.size > 1 || elsewhere.has(row.pid));
    return isDoubted ? { ...row, attribution: 'contested' } : row;
  });
}

function instanceKey({ gpuInstanceId, computeInstanceId }: Instances): string {
  return `${gpuInstanceId}/${computeInstanceId}`;
}

/** Also a process at work waits in the kernel, for moments: not at every look for so long. */
const waitsLongMs = 60_000;

/** Whether it cannot be ended: whatever the state of its first thread, another that waits in the kernel holds it. */
export function isStuck({ waitingMs }: ProcessRow): boolean {
  return (waitingMs ?? 0) >= waitsLongMs;
}

/** A zombie: it has no memory and no files any more, only a number that its parent has not asked for. */
export function hasEnded({ state }: ProcessRow): boolean {
  return state === 'Z';
}

/** What it used when the driver listed it last is free again. */
export function holdsNothing(row: ProcessRow): boolean {
  return row.left && hasEnded(row);
}

/** Whether nothing runs on what a container was given of a GPU: the whole, or a part. */
export function isIdle({ part }: Holder, list: readonly ProcessRow[]): boolean {
  if (!part || part.gpuInstanceId === null) return list.length === 0;
  return !list.some((process) => isOfPart(process, part));
}
