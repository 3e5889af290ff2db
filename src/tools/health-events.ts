import { type GpuEvent, mayLack } from '../core/event.ts';
import { groupBy } from '../core/group-by.ts';
import type { GpuState } from '../core/snapshot.ts';
import { duration } from '../core/words.ts';
import { actions, type Evidence, type Finding, worst } from '../diagnose/verdict.ts';
import { type Severity, severities } from '../diagnose/xid.ts';
import { type EventRow, eventRowOf, slotOf } from './event-row.ts';
import type { NodeContext } from './tool.ts';

const recentMs = 24 * 3_600_000;
const namedAtMost = 3;

/** One sort of error of a GPU, as often as it came. */
interface Trouble {
  readonly title: string;
  readonly severity: Severity;
  readonly action: Finding['action'];
  readonly count: number;
  readonly ageMs: number | null;
  readonly newest: EventRow;
}

/** What its node's event book has of a GPU in the last day, and what it cannot have. */
export interface HealthEvents {
  findingOf(gpu: GpuState): Finding | null;
  uncheckedOf(gpu: GpuState): string[];
}

/** Gone through once for all GPUs of a node. */
export function healthEvents({ events, snapshot, clock }: NodeContext): HealthEvents {
  const nowMs = Date.parse(clock.wallTime);
  const page = events.since(undefined);
  const grave = page.events
    .filter((event) => isGrave(event) && (event.atMs === null || nowMs - event.atMs <= recentMs))
    .map((event) => eventRowOf(event, snapshot.gpus));
  const bySlot = groupBy(grave, ({ pciSlot }) => pciSlot);
  const now = { nowMs, bootId: clock.bootId, eventsLost: mayLack(page, nowMs - recentMs) };
  const { kernelLog, nvml } = events.sources;
  const xids = nvml.readable ? 'Xids but for those that the driver itself tells' : 'Xids';
  return {
    findingOf: (gpu) => (bySlot.size === 0 ? null : findingIn(bySlot.get(slotOf(gpu)) ?? [], now)),
    uncheckedOf: (gpu) => {
      if (snapshot.simulated) return []; // there is no log that could be read
      if (!kernelLog.readable)
        return [`${xids}: the kernel log is not read (${kernelLog.reason ?? 'unknown'})`];
      return 'missing' in gpu.readings.pciAddress ? ['Xids: its PCI address is not known'] : [];
    },
  };
}

/** Nothing that a program wrote, and nothing that the bus has repaired. */
function isGrave({ kind, origin, pciSlot, details }: GpuEvent): boolean {
  if (origin !== 'kernel' || pciSlot === null) return false;
  return ['xid', 'sxid', 'fallenOffBus'].includes(kind) || (kind === 'aer' && details.fatal === true);
}

interface Now {
  readonly nowMs: number;
  readonly bootId: string | null;
  /** There may have been more of each. */
  readonly eventsLost: boolean;
}

function findingIn(events: readonly EventRow[], now: Now): Finding | null {
  if (events.length === 0) return null;
  const troubles = [...groupBy(events, sortOf).values()]
    .map((alike) => troubleOf(alike, now))
    .sort(worstFirst);
  const named = troubles
    .slice(0, namedAtMost)
    .map(
      ({ title, ageMs }) => `${title} ${ageMs === null ? 'at an unknown time' : `${duration(ageMs)} ago`}`,
    );
  const more = troubles.length - named.length;
  const asked = troubles.map(({ action }) => action);
  return {
    verdict: troubles.some(isBad) ? 'watch' : 'ok',
    action: worst(actions, asked, 'none'),
    text: `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}: see analyze_xid_errors`,
    evidence: troubles.flatMap((trouble) => factsOf(trouble, now)),
  };
}

/** The newest word of the driver on what is to be done (154) replaces those before it. */
function sortOf({ kind, code, severity }: EventRow): string {
  return JSON.stringify([kind, code, code === 154 ? null : severity]);
}

function troubleOf(alike: readonly EventRow[], { nowMs, bootId }: Now): Trouble {
  const newest = alike.at(-1) as EventRow;
  const { kind, code, name, severity, atMs } = newest;
  const numbered = kind === 'xid' ? 'Xid' : 'SXid';
  const over = newest.bootId !== null && bootId !== null && newest.bootId !== bootId; // the reboot was the remedy
  const action = actions.find((known) => known === newest.action) ?? 'none';
  return {
    title: code === null ? name : `${numbered} ${code} (${name})`,
    severity,
    action: over || !isBad({ severity }) ? 'none' : action,
    count: alike.length,
    ageMs: atMs === null ? null : Math.max(0, Math.round(nowMs - atMs)),
    newest,
  };
}

/** Of all others the job tells, whose fault they mostly are. */
function isBad({ severity }: Pick<Trouble, 'severity'>): boolean {
  return severity === 'critical' || severity === 'fatal';
}

function worstFirst(a: Trouble, b: Trouble): number {
  const worse = severities.indexOf(b.severity) - severities.indexOf(a.severity);
  return worse || (a.ageMs ?? 0) - (b.ageMs ?? 0);
}

const sourceNames = { kernelLog: 'kernel log', nvml: 'NVML events' };

/** Whose age is that of what happened, not of a reading. */
export function isEventFact({ source }: Pick<Evidence, 'source'>): boolean {
  return Object.values(sourceNames).some((name) => source.startsWith(name));
}

function factsOf(
  { title, count, ageMs, newest: { atMs, sources } }: Trouble,
  { eventsLost }: Now,
): Evidence[] {
  const names = sources.map((source) => sourceNames[source as keyof typeof sourceNames] ?? source);
  const beside = { threshold: null, source: names.join(' and '), ageMs };
  const times = count === 1 ? 'time' : 'times';
  const last = atMs === null ? 'unknown' : new Date(atMs).toISOString();
  return [
    { name: title, value: count, unit: eventsLost ? 'times at least' : times, ...beside },
    { name: 'last at', value: last, unit: null, ...beside },
  ];
}
