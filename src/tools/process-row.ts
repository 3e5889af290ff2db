import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import type { MigDevice } from '../core/mode-readings.ts';
import type { DeviceHolder, GpuProcess, ProcessUtilization } from '../core/process.ts';
import { orNull, reasons } from '../core/reading.ts';
import { duration, gibibytes } from '../core/words.ts';

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
type Holder = z.output<typeof holder>;

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
      'of the process, as ps prints it: D and Z cannot be ended; Zl: its first thread has ended, others run',
    ),
  startedAtMs: z.number().nullable(),
  containerId: z.string().nullable(),
  runtime: z.string().nullable(),
  podUid: z.string().nullable(),
  attribution: z
    .string()
    .describe(
      'device: the one container that was given this GPU; contested: that one, or another whose processes use it, too; candidates: one of them; container, host, unknown',
    ),
  holders: z.array(holder),
  left: z.boolean().describe('the driver no longer lists it, and it is still there'),
  waitingMs: z.number().nullish().describe('for how long every look has found it in state D'),
  missing: z.record(z.string(), z.string()).describe('field → why it is null'),
});
export type ProcessRow = z.output<typeof processRow>;

/** @param migDevices of its GPU */
export function processRowOf(given: GpuProcess, migDevices: readonly MigDevice[] = []): ProcessRow {
  const { pid, kinds, onNode, holders, left, waitingMs, ...process } = given;
  const { usedBytes, utilization, gpuInstanceId, computeInstanceId } = process;
  const container = orNull(onNode.container);
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
    attribution: attributionOf('missing' in onNode.container, container !== null, holders),
    holders:
      container === null && !('missing' in onNode.container) ? [] : holders.map((each) => ({ ...each })),
    left,
    waitingMs: waitingMs === null ? null : Math.round(waitingMs),
    missing: reasons({ usedBytes, utilization, ...onNode }),
  };
}

function migUuidOf(process: Instances, migDevices: readonly MigDevice[]): string | null {
  const device = migDevices.find((one) => isOfPart(process, instancesOf(one)));
  return device ? orNull(device.uuid) : null;
}

type Instances = Pick<ProcessRow, 'gpuInstanceId' | 'computeInstanceId'>;

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
function attributionOf(unknown: boolean, inContainer: boolean, holders: readonly DeviceHolder[]): string {
  if (!unknown && !inContainer) return 'host';
  if (holders.length === 1) return 'device';
  if (holders.length > 1) return 'candidates';
  return unknown ? 'unknown' : 'container';
}

/** The kubelet gave something to one container, and processes of several pods use it: some see devices that are not theirs. */
export function contested(rows: readonly ProcessRow[]): ProcessRow[] {
  const users = groupBy(
    rows.filter(({ podUid }) => podUid !== null),
    instanceKey,
  );
  return rows.map((row) => {
    const isShared = new Set(users.get(instanceKey(row))?.map(({ podUid }) => podUid)).size > 1;
    const isDoubted = isShared && row.podUid !== null && row.attribution === 'device';
    return isDoubted ? { ...row, attribution: 'contested' } : row;
  });
}

function instanceKey({ gpuInstanceId, computeInstanceId }: Instances): string {
  return `${gpuInstanceId}/${computeInstanceId}`;
}

export const stuckStates: Readonly<Record<string, string>> = {
  D: 'waits in the kernel and cannot be ended (state D)',
  Z: 'has ended and is not laid to rest (state Z)',
};

/** Also a process at work waits in the kernel, for moments: not at every look for so long. */
const waitsLongMs = 60_000;

export function isStuck({ state, left, waitingMs }: ProcessRow): boolean {
  if (state === null || !Object.hasOwn(stuckStates, state)) return false;
  return left || state === 'Z' || (waitingMs ?? 0) >= waitsLongMs;
}

/** Whether nothing runs on what a container was given of a GPU: the whole, or a part. */
export function isIdle({ part }: Holder, list: readonly ProcessRow[]): boolean {
  if (!part || part.gpuInstanceId === null) return list.length === 0;
  return !list.some((process) => isOfPart(process, part));
}

/** `ml/train-0 container main (GPU instance 7 compute instance 0)` */
export function holderText({ namespace, pod, container, part }: Holder): string {
  const what = part && (part.gpuInstanceId === null ? part.device : instanceText(part));
  return `${namespace}/${pod} container ${container}${what ? ` (${what})` : ''}`;
}

function instanceText({ gpuInstanceId, computeInstanceId }: Instances): string {
  return `GPU instance ${gpuInstanceId} compute instance ${computeInstanceId ?? '?'}`;
}

/** `python3 (pid 4001, compute), 52 GiB, SM 92 % (memory 50 %), since 3 h, pod ml/train container main`. */
export function processText(row: ProcessRow, nowMs: number): string {
  const { comm, pid, kinds, usedBytes, utilization, startedAtMs } = row;
  const parts = [
    `${comm ?? 'unknown program'} (pid ${pid}${kinds.length > 0 ? `, ${kinds.join(' and ')}` : ''})`,
    row.gpuInstanceId !== null && instanceText(row),
    usedBytes === null ? 'memory not told' : gibibytes(usedBytes),
    utilization && utilizationText(utilization, nowMs),
    startedAtMs !== null && `running for ${duration(Math.max(0, nowMs - startedAtMs))}`,
    ownerText(row),
    stuckText(row),
    row.left && 'no longer listed by the driver',
  ];
  return parts.filter(Boolean).join(', ');
}

function stuckText(row: ProcessRow): string | null {
  if (!isStuck(row)) return null;
  const looked = row.waitingMs ? ` at every look for ${duration(row.waitingMs)}` : '';
  return `${stuckStates[row.state ?? '']}${looked}`;
}

/** The driver takes a sample each second while a process does something, and none while it does not. */
const oldSampleMs = 10_000;

function utilizationText(utilization: NonNullable<ProcessRow['utilization']>, nowMs: number): string {
  const { smPercent, memoryPercent, encoderPercent, decoderPercent, atMs } = utilization;
  const video = [
    encoderPercent > 0 && `encoder ${encoderPercent} %`,
    decoderPercent > 0 && `decoder ${decoderPercent} %`,
  ].filter(Boolean);
  const age = nowMs - atMs > oldSampleMs ? ` ${duration(nowMs - atMs)} ago` : '';
  return [`SM ${smPercent} %${age} (memory ${memoryPercent} %)`, ...video].join(', ');
}

function ownerText({ attribution, holders, containerId, podUid, runtime }: ProcessRow): string {
  const place = [
    containerId && `container ${containerId.slice(0, 12)}${runtime ? ` of ${runtime}` : ''}`,
    podUid && `pod UID ${podUid}`,
  ]
    .filter(Boolean)
    .join(' in ');
  const owners = ownersText(attribution, holders.map(holderText));
  if (owners === null) return place || 'whose it is cannot be told';
  return `${owners}${place && ` (${place})`}`;
}

function ownersText(attribution: string, named: readonly string[]): string | null {
  switch (attribution) {
    case 'host':
      return 'of no container';
    case 'device':
      return `pod ${named[0]}`;
    case 'contested':
      return `pod ${named[0]}, or another one whose processes use this GPU`;
    case 'candidates':
      return `one of the pods ${named.join(' or ')}`;
    default:
      return null;
  }
}
