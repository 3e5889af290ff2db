import { duration, gibibytes } from '../core/words.ts';
import {
  type Holder,
  hasEnded,
  holdsNothing,
  type Instances,
  isStuck,
  type ProcessRow,
} from './process-row.ts';

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
  const { comm, pid, kinds, utilization, startedAtMs } = row;
  const parts = [
    `${comm ?? 'unknown program'} (pid ${pid}${kinds.length > 0 ? `, ${kinds.join(' and ')}` : ''})`,
    row.gpuInstanceId !== null && instanceText(row),
    memoryText(row),
    utilization && !hasEnded(row) && utilizationText(utilization, nowMs),
    startedAtMs !== null && sinceText(row, Math.max(0, nowMs - startedAtMs)),
    ownerText(row),
    conditionText(row),
    row.left && 'no longer listed by the driver',
  ];
  return parts.filter(Boolean).join(', ');
}

function sinceText(row: ProcessRow, forMs: number): string {
  return hasEnded(row) ? `started ${duration(forMs)} ago` : `running for ${duration(forMs)}`;
}

function memoryText(row: ProcessRow): string | null {
  const { usedBytes } = row;
  if (holdsNothing(row)) return null;
  return usedBytes === null ? 'memory not told' : gibibytes(usedBytes);
}

function conditionText(row: ProcessRow): string | null {
  const { pid, state, waitingMs } = row;
  if (hasEnded(row)) return `has ended; its parent has to collect it (ps -o ppid= -p ${pid})`;
  if (!isStuck(row)) return null;
  const who = state === 'D' ? '' : 'one of its threads ';
  return `${who}waits in the kernel and cannot be ended (state D) at every look for ${duration(waitingMs ?? 0)}`;
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
