import { fleetInput } from '../../src/bridge/bridge.ts';
import type { EventLog } from '../../src/core/event.ts';
import type { NodeProcesses } from '../../src/core/process.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { type Page, type Presented, present } from '../../src/tools/present.ts';
import type { Answer, NodeContext, Tool } from '../../src/tools/tool.ts';
import { nowMs } from './gpus.ts';

/** What a node knows, with this snapshot and these events. */
export function contextOf(
  snapshot: Snapshot,
  events: EventLog = noEvents,
  processes: NodeProcesses = noProcesses,
): NodeContext {
  return { snapshot, nowMs, clock, events, processes, peers: new Map(), gpm: new Map(), pciGpus: [] };
}

const noProcesses: NodeProcesses = { gpus: [], podResources: { readable: true, reason: null } };

/** Of nodes without any: their logs can be read. */
export const noEvents: EventLog = {
  since: () => ({ events: [], cursor: '00000000-0', eventsLost: false, lostBeforeMs: null }),
  sources: { kernelLog: { readable: true, reason: null }, nvml: { readable: true, reason: null } },
};

const clock = { wallTime: '2026-11-26T12:00:00.000Z', monotonicMs: 5_000_000, bootId: 'b' };

/** Nodes by name, with what each one's agent last saw. */
export type FleetSnapshots = Readonly<Record<string, Snapshot>>;

/** What the agents would send, and the bridge would accept. */
export function answersOf(tool: Tool, fleet: FleetSnapshots, given: object = {}): Answer<unknown>[] {
  const args = parseArguments(tool.input, { ...given, detail: 'full' });
  return Object.entries(fleet).map(([node, snapshot]) => ({
    node,
    value: tool.output.parse(JSON.parse(JSON.stringify(tool.answer(args, contextOf(snapshot))))),
  }));
}

/** One merged answer, as the bridge gives it when all these nodes answer. */
export function ask(tool: Tool, fleet: FleetSnapshots, given: object = {}): Presented {
  const { nodes: _nodes, cursor: _cursor, limit: _limit, ...own } = given as Record<string, unknown>;
  return present(tool, parseArguments(fleetInput(tool), given), answersOf(tool, fleet, own));
}

/** The lines of its text. */
export function lines(tool: Tool, fleet: FleetSnapshots, given: object = {}): string[] {
  return ask(tool, fleet, given).text.split('\n');
}

/** Its rows, page by page until the end. */
export function allRows(tool: Tool, fleet: FleetSnapshots, given: object = {}): unknown[] {
  const rows: unknown[] = [];
  let cursor: string | null = 'row-0';
  for (let pages = 0; cursor !== null; pages += 1) {
    if (pages > 10_000) throw new Error(`no end after ${rows.length} rows`);
    const { structured } = ask(tool, fleet, { ...given, cursor });
    rows.push(...(structured['rows'] as unknown[]));
    cursor = (structured['page'] as Page).nextCursor;
  }
  return rows;
}

/** A generator of numbers from 0 to 1 that says the same in every run. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
