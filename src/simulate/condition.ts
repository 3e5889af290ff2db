import type { GpuReadings } from '../core/gpu.ts';
import { nvmlReturn } from '../core/nvml-return.ts';
import type { Reading } from '../core/reading.ts';
import { modelReadings } from './model-readings.ts';
import { type Change, nodeOf, type Scenario, type TimelineEntry } from './scenario.ts';
import { type DriverSymbol, driverSymbols, everyCall } from './symbols.ts';

/** What one GPU would say and do at one moment. */
export interface GpuCondition {
  /** The model's, with what the scenario sets; whether a call succeeds is not in them. */
  readonly readings: GpuReadings;
  /** nvmlReturn_t by symbol, `all` for those not named; 0 and absent: the call succeeds. */
  readonly codes: ReadonlyMap<string, number>;
  /** No call on it returns. */
  readonly hung: boolean;
}

/** What the driver of one node would do at one moment. */
export interface DriverCondition {
  /** nvmlReturn_t of the calls on the driver itself. */
  readonly codes: Readonly<Record<DriverSymbol, number>>;
  /** The kernel module is not there: what was opened before is dead. */
  readonly away: boolean;
  /** How often it has gone away so far. What was opened in an earlier generation stays dead. */
  readonly generation: number;
}

/** @throws Fault SCENARIO_INVALID for a node, RangeError for a GPU, that the scenario has not */
export function gpuAt(scenario: Scenario, node: string, index: number, atMs: number): GpuCondition {
  const entries = entriesFor(scenario, node, index).filter((entry) => entry.atMs <= atMs);
  const readings: Record<string, Reading<unknown>> = {
    ...modelReadings(nodeOf(scenario, node), index, atMs),
  };
  for (const [name, reading] of setReadings(entries)) readings[name] = reading;
  return {
    readings: readings as unknown as GpuReadings,
    codes: codes(entries),
    hung: lastHang(entries),
  };
}

/** nvmlReturn_t of a call on a GPU. */
export function codeOf({ codes }: Pick<GpuCondition, 'codes'>, symbol: string): number {
  return codes.get(symbol) ?? codes.get(everyCall) ?? nvmlReturn.SUCCESS;
}

export function driverAt(scenario: Scenario, node: string, atMs: number): DriverCondition {
  const now = Object.fromEntries(driverSymbols.map((symbol) => [symbol, 0])) as Record<DriverSymbol, number>;
  let generation = 0;
  for (const { change } of entriesFor(scenario, node, null).filter((entry) => entry.atMs <= atMs)) {
    const before = isAway(now);
    for (const symbol of driverSymbols) now[symbol] = returned(change, symbol) ?? now[symbol];
    if (isAway(now) && !before) generation += 1;
  }
  return { codes: now, away: isAway(now), generation };
}

/** Whether a GPU that hangs at this time will ever answer again. */
export function hangEndsAfter(scenario: Scenario, node: string, index: number, atMs: number): boolean {
  return entriesFor(scenario, node, index).some(
    ({ atMs: at, change }) => at > atMs && change.kind === 'hang' && !change.hung,
  );
}

/** Any other code fails only who opens the driver anew, as a mismatched library does. */
function isAway(codes: Readonly<Record<DriverSymbol, number>>): boolean {
  return codes.nvmlInit_v2 === nvmlReturn.DRIVER_NOT_LOADED;
}

function returned(change: Change, symbol: string): number | undefined {
  return change.kind === 'returns' ? change.codes[symbol] : undefined;
}

/** @param index null: entries for the node itself, which name no GPU */
function entriesFor(scenario: Scenario, node: string, index: number | null): TimelineEntry[] {
  return scenario.timeline.filter(
    (entry) => (entry.node === null || entry.node === node) && (entry.gpu === null || entry.gpu === index),
  );
}

function setReadings(entries: readonly TimelineEntry[]): Map<string, Reading<unknown>> {
  const set = new Map<string, Reading<unknown>>();
  for (const { change } of entries) {
    if (change.kind !== 'set') continue;
    for (const [name, reading] of Object.entries(change.readings)) {
      if (reading === null) set.delete(name);
      else set.set(name, reading);
    }
  }
  return set;
}

/** `all` stands for every call, so it overrides what was said of single calls before. */
function codes(entries: readonly TimelineEntry[]): Map<string, number> {
  const codes = new Map<string, number>();
  for (const { change } of entries) {
    if (change.kind !== 'returns') continue;
    if (change.codes[everyCall] !== undefined) codes.clear();
    for (const [symbol, code] of Object.entries(change.codes)) codes.set(symbol, code);
  }
  return codes;
}

function lastHang(entries: readonly TimelineEntry[]): boolean {
  return entries.reduce((hung, { change }) => (change.kind === 'hang' ? change.hung : hung), false);
}
