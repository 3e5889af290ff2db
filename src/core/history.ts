import { type ClocksEventReason, clocksEventReasonBits } from './power-readings.ts';
import type { Rates } from './rates.ts';
import { map, orNull, type Reading } from './reading.ts';
import type { GpuState } from './snapshot.ts';

export interface SeriesKind {
  /** As it is printed after a value. */
  readonly unit: string;
  /** `counter`: what is worth knowing is by how much it grew. */
  readonly kind: 'gauge' | 'counter';
  /** Kept in 64 bits: 32 hold 7 digits, which is too few for what must be told apart. */
  readonly wide?: true;
  readonly of: (state: GpuState) => Reading<number>;
}

const gauge = (unit: string, of: SeriesKind['of']): SeriesKind => ({ unit, kind: 'gauge', of });
const counter = (unit: string, of: SeriesKind['of']): SeriesKind => ({ unit, kind: 'counter', of });
const rate = (name: keyof Rates): SeriesKind =>
  gauge('B/s', ({ rates }) => rates?.[name] ?? { missing: 'notReady' });

/**
 * What is kept of every GPU, sample by sample. A line here is all that it takes to keep one more; files that lack it are
 * read as if it had been missing.
 */
export const seriesTable = {
  gpuUtilizationPercent: gauge('%', ({ readings }) =>
    map(readings.utilization, ({ gpuPercent }) => gpuPercent),
  ),
  memoryUtilizationPercent: gauge('%', ({ readings }) =>
    map(readings.utilization, ({ memoryPercent }) => memoryPercent),
  ),
  /** In 32 bits: right to 32 KiB at 512 GiB, less than the driver's own step of 64 KiB. */
  memoryUsedBytes: gauge('B', ({ readings }) => map(readings.memory, ({ usedBytes }) => usedBytes)),
  temperatureC: gauge('°C', ({ readings }) => readings.temperatureC),
  temperatureMarginC: gauge('°C', ({ readings }) => readings.temperatureMarginC),
  memoryTemperatureC: gauge('°C', ({ readings }) => readings.memoryTemperatureC),
  powerWatts: gauge('W', ({ readings }) => readings.powerWatts),
  powerLimitWatts: gauge('W', ({ readings }) => readings.powerLimitWatts),
  smClockMhz: gauge('MHz', ({ readings }) => readings.smClockMhz),
  memoryClockMhz: gauge('MHz', ({ readings }) => readings.memoryClockMhz),
  performanceState: gauge('(0 is fastest)', ({ readings }) => readings.performanceState),
  pcieTxBytesPerSecond: rate('pcieTxBytesPerSecond'),
  pcieRxBytesPerSecond: rate('pcieRxBytesPerSecond'),
  nvlinkTxBytesPerSecond: rate('nvlinkTxBytesPerSecond'),
  nvlinkRxBytesPerSecond: rate('nvlinkRxBytesPerSecond'),
  energyJoules: { ...counter('J', ({ readings }) => readings.energyJoules), wide: true },
  eccCorrectedVolatile: counter('errors', ({ readings }) => readings.eccCorrectedVolatile),
  eccUncorrectedVolatile: counter('errors', ({ readings }) => readings.eccUncorrectedVolatile),
  pcieReplays: counter('replays', ({ readings }) => readings.pcieReplays),
} as const satisfies Readonly<Record<string, SeriesKind>>;

export type SeriesName = keyof typeof seriesTable;
/** The order of values in every row. */
export const seriesNames = Object.keys(seriesTable) as SeriesName[];
export const seriesKinds: readonly SeriesKind[] = Object.values(seriesTable);

/** The order in which a bin tells how long each one held the clocks. */
export const clocksReasons = Object.keys(clocksEventReasonBits) as ClocksEventReason[];

/**
 * Why a row has no values: all that was learned of the GPU then. `slow`: the driver takes long to tell them. Of a bin
 * alone `agentNotRunning`: it is of two lives of the agent, between which nobody sampled.
 */
export const absences = [
  'hung',
  'lost',
  'vanished',
  'driverUnavailable',
  'unreadable',
  'driverNotResponding',
  'resetRequired',
  'slow',
  'agentNotRunning',
] as const;
export type Absence = (typeof absences)[number];

/** One moment by the clocks of one node. */
export interface Moment {
  /** Unix time in ms: a label, since whoever sets the clock moves it. */
  readonly atMs: number;
  /** Milliseconds since the node booted: what durations and order follow. See `NodeClock`. */
  readonly monotonicMs: number;
  /** Null where the kernel does not tell; then each life of the agent counts as a boot of its own. */
  readonly bootId: string | null;
}

/** What a row and a bin have in common. */
export interface HistoryPlace extends Moment {
  /** Counts the agent's lives: between two of them nobody sampled. */
  readonly life: number;
  /** Last one found absent: for a row why it has no values, for a bin why it may have few. */
  readonly absence: Absence | null;
}

/** One sample of one GPU. */
export interface HistoryRow extends HistoryPlace {
  /**
   * Increases by one with each sample of this GPU, also over restarts where the history is kept on disk. After a life that
   * was cut off numbers are left out: it may have given some that it had not written down.
   */
  readonly row: number;
  /** In the order of `seriesNames`; null where there was no value. */
  readonly values: readonly (number | null)[];
  /** What held the clocks down; null where that could not be read. */
  readonly reasons: readonly ClocksEventReason[] | null;
}

/**
 * Samples of up to five minutes as one. Each counts for the time since the one before, so that a second counts the same
 * whether it was sampled once or ten times. `atMs` and `monotonicMs` are those of its first sample.
 */
export interface HistoryBin extends HistoryPlace {
  /** Of its last sample. */
  readonly row: number;
  /** Samples in it, those without values included. */
  readonly count: number;
  /** Of its last sample. */
  readonly endMonotonicMs: number;
  /** For how long there were values. */
  readonly coveredMs: number;
  /** In the order of `seriesNames`; null where no sample had a value. */
  readonly min: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** For how long each of `clocksReasons` held the clocks down; null where that could never be read. */
  readonly heldMs: readonly number[] | null;
}

export interface HistoryQuery {
  /** See `historyKey`. */
  readonly gpuKey: string;
  /** Unix time in ms by the node's present clock. Rows of this boot are found by the time that has passed since. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

export interface RowQuery extends HistoryQuery {
  /** Only rows after this one. */
  readonly sinceRow?: number;
  /** The `numbering` under which `sinceRow` was told. */
  readonly numbering?: string;
}

export interface RowPage {
  /** Oldest first. */
  readonly rows: readonly HistoryRow[];
  /** The one before the first of them, where it is still there and a time was asked for. */
  readonly before: HistoryRow | null;
  /** 0 where this GPU is not known. */
  readonly newestRow: number;
  /**
   * How many rows after `sinceRow` are no longer there; 0 without a `sinceRow`, null where it is from another numbering,
   * so that nobody can tell.
   */
  readonly rowsLost: number | null;
}

/** What a node has seen of its GPUs, as readers see it. */
export interface GpuHistory {
  /** Row numbers count within one numbering; an agent that finds no history on disk begins another. */
  readonly numbering: string;
  /** Of the agent, of those that used the same folder. */
  readonly life: number;
  /** How often a sample is taken when nothing special happens. */
  readonly intervalMs: number;
  /** Of every GPU of which something is kept, whether it is there now or not: see `historyKey`. */
  readonly gpuKeys: readonly string[];
  /** Every sample that is kept: of two hours at the usual interval, and those taken more often around events. */
  rows(query: RowQuery): RowPage;
  /** Five minutes each, of 48 hours, oldest first; the last one may still be growing. */
  bins(query: HistoryQuery): readonly HistoryBin[];
}

/** Beyond this a missing sample is no mere delay. */
export function gapMs(intervalMs: number): number {
  return 2.5 * intervalMs;
}

/**
 * By what a GPU's history is found again when its index has changed: its UUID, or its PCI address where it has none; null
 * for one that has never said who it is.
 */
export function historyKey({ readings }: Pick<GpuState, 'readings'>): string | null {
  return orNull(readings.uuid) ?? orNull(readings.pciAddress);
}

/** GPUs of which only the history knows; one that is there and does not say who it is may be among them. */
export function goneKeys({ gpuKeys }: GpuHistory, gpus: readonly GpuState[]): string[] {
  const there = new Set(gpus.map(historyKey));
  return gpuKeys.filter((key) => !there.has(key));
}
