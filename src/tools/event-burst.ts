import { z } from 'zod';

import { actionText } from './action-text.ts';
import { type EventRow, eventRow } from './event-row.ts';

/** One error that was told of many times in a row: one line for whoever reads. `event` is the newest. */
export const burst = z.object({
  kind: z.literal('event'),
  node: z.string(),
  count: z.int(),
  firstAtMs: z.number().nullable(),
  lastAtMs: z.number().nullable(),
  event: eventRow,
  /** The line and its details are shown, too. */
  full: z.boolean(),
});
export type Burst = z.output<typeof burst>;

/** The same error on the same GPU: a fault of one link prints hundreds of lines within seconds, and then for as long as jobs die of it. */
const quietMs = 600_000;

/** One error, as often as it came in a row; its times are Unix time in ms, and null where the log does not tell them. */
export interface Run {
  readonly count: number;
  readonly firstAtMs: number | null;
  readonly lastAtMs: number | null;
  /** The newest. */
  readonly event: EventRow;
}

export function burstsOf(node: string, events: readonly EventRow[], full: boolean): Burst[] {
  const runs = full ? events.map(single) : runsOf(events);
  return runs.map((run): Burst => ({ kind: 'event', node, ...run, full }));
}

/** @param events oldest first */
export function runsOf(events: readonly EventRow[]): Run[] {
  const over: Run[] = [];
  const open = new Map<string, Run>();
  for (const one of events.map(single)) {
    const before = open.get(errorOf(one));
    const goesOn = before !== undefined && (one.lastAtMs ?? 0) - (before.lastAtMs ?? 0) <= quietMs;
    if (before && !goesOn) over.push(before);
    open.set(errorOf(one), goesOn ? { ...one, count: before.count + 1, firstAtMs: before.firstAtMs } : one);
  }
  return [...over, ...open.values()];
}

function single(event: EventRow): Run {
  return { count: 1, firstAtMs: event.atMs, lastAtMs: event.atMs, event };
}

function errorOf({ event: { kind, code, pciSlot, origin, severity, details } }: Run): string {
  return JSON.stringify([kind, code, pciSlot, origin, severity, details['causedByXid']]);
}

export function burstText({ node, count, firstAtMs, lastAtMs, event, full }: Burst): string {
  const times = count > 1 ? `${count} × ` : '';
  const lines = [
    `${event.severity}: ${placeText(node, event)}: ${times}${titleOf(event)}, ${timeText(firstAtMs, lastAtMs)}${causeText(event)}`,
    event.origin === 'userSpace' &&
      'Written into the log by a program of user space (userSpace): it proves nothing',
    event.meaning?.replace(/\.$/, ''),
    event.action !== 'none' && `Action ${actionText(event.action)}`,
    event.nvidiaAction && `NVIDIA: ${event.nvidiaAction.replace(/\.$/, '')}`,
    (full || event.kind === 'nvrm') && `Line: ${event.message}`,
    full && `From ${event.sources.join(' and ')}, number ${event.number}, id ${event.id}`,
  ];
  return lines.filter(Boolean).join('. ');
}

function placeText(node: string, { pciSlot, gpuIndex }: EventRow): string {
  if (pciSlot === null) return node;
  return gpuIndex === null ? `${node} PCI ${pciSlot}` : `${node} GPU ${gpuIndex} (PCI ${pciSlot})`;
}

function titleOf({ kind, code, name, details }: EventRow): string {
  const what = kind === 'xid' ? `Xid ${code} ${name}` : kind === 'sxid' ? `SXid ${code} ${name}` : name;
  const who = details['pid'] === undefined ? '' : `, pid ${details['pid']}`;
  const program = details['processName'] === undefined ? '' : ` (${details['processName']})`;
  const instance = details['gpuInstanceId'] === undefined ? '' : `, GPU instance ${details['gpuInstanceId']}`;
  return `${what}${instance}${who}${program}`;
}

function causeText({ details }: EventRow): string {
  return details['causedByXid'] === undefined ? '' : `, caused by Xid ${details['causedByXid']}`;
}

function timeText(firstAtMs: number | null, lastAtMs: number | null): string {
  if (lastAtMs === null) return 'at a time that the log does not tell';
  const last = utc(lastAtMs);
  return firstAtMs === null || utc(firstAtMs) === last ? `at ${last}` : `from ${utc(firstAtMs)} to ${last}`;
}

function utc(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
