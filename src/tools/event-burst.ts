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
  /** GPU instances and programs, each once, as they are shown: the first of them, and how many more there are. */
  concerned: z.array(z.string()),
  concernedMore: z.int(),
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
  /** GPU instances and programs, each once. */
  readonly concerned: Set<string>;
}

/** A job of many processes dies with a line for each. */
const concernedAtMost = 5;

export function burstsOf(node: string, events: readonly EventRow[], full: boolean): Burst[] {
  const runs = full ? events.map(single) : runsOf(events);
  return runs.map(({ concerned, ...run }): Burst => {
    const named = [...concerned].slice(0, concernedAtMost);
    const more = concerned.size - named.length;
    return { kind: 'event', node, ...run, concerned: named, concernedMore: more, full };
  });
}

/** @param events oldest first */
export function runsOf(events: readonly EventRow[]): Run[] {
  const over: Run[] = [];
  const open = new Map<string, Run>();
  for (const one of events.map(single)) {
    const before = open.get(errorOf(one));
    const goesOn = before !== undefined && (one.lastAtMs ?? 0) - (before.lastAtMs ?? 0) <= quietMs;
    if (before && !goesOn) over.push(before);
    open.set(errorOf(one), goesOn ? joined(before, one) : one);
  }
  return [...over, ...open.values()];
}

function single(event: EventRow): Run {
  const who = whoText(event);
  const concerned = new Set(who === '' ? [] : [who]);
  return { count: 1, firstAtMs: event.atMs, lastAtMs: event.atMs, event, concerned };
}

/** @param before used up */
function joined(before: Run, one: Run): Run {
  for (const who of one.concerned) before.concerned.add(who);
  return { ...before, count: before.count + 1, lastAtMs: one.lastAtMs, event: one.event };
}

function errorOf({ event: { kind, code, pciSlot, origin, severity, message, details } }: Run): string {
  const text = kind === 'nvrm' ? withoutNumbers(message) : null; // it has no code that would tell it apart
  return JSON.stringify([kind, code, pciSlot, origin, severity, details['causedByXid'], text]);
}

/** Addresses and counters differ where the message is the same. */
function withoutNumbers(message: string): string {
  return message.replace(/\w+/g, (word) => (/^(?:0x)?[\da-f]+$/i.test(word) && /\d/.test(word) ? '#' : word));
}

export function burstText(burst: Burst): string {
  const { node, count, firstAtMs, lastAtMs, event, full } = burst;
  const times = count > 1 ? `${count} × ` : '';
  const lines = [
    `${event.severity}: ${placeText(node, event)}: ${times}${titleOf(event)}${concernedText(burst)}, ${timeText(firstAtMs, lastAtMs)}${causeText(event)}`,
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

function titleOf({ kind, code, name }: EventRow): string {
  if (kind === 'xid') return `Xid ${code} ${name}`;
  return kind === 'sxid' ? `SXid ${code} ${name}` : name;
}

function concernedText({ concerned, concernedMore }: Burst): string {
  if (concerned.length === 0) return '';
  return `, ${concerned.join('; ')}${concernedMore > 0 ? `; and ${concernedMore} more` : ''}`;
}

/** Empty where nobody is named. */
function whoText({ details }: EventRow): string {
  const { gpuInstanceId, pid, processName } = details;
  const program = processName === undefined ? '' : ` (${processName})`;
  const parts = [
    gpuInstanceId !== undefined && `GPU instance ${gpuInstanceId}`,
    pid === undefined ? program.trim() : `pid ${pid}${program}`,
  ];
  return parts.filter(Boolean).join(', ');
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
