import { randomBytes } from 'node:crypto';

import type {
  Absence,
  GpuHistory,
  HistoryBin,
  HistoryQuery,
  HistoryRow,
  Moment,
  RowPage,
  RowQuery,
} from '../../core/history.ts';
import { type Bin, binMs } from './bin.ts';
import { GpuRing } from './gpu-ring.ts';
import { orNulls, reasonsIn, type Sample } from './sample.ts';

export interface HistoryOptions {
  readonly intervalMs: number;
  /** By the node's clocks, now. */
  readonly now: () => Moment;
}

/** One sample as whoever takes it knows it. */
export interface Taken {
  readonly atMs: number;
  readonly monotonicMs: number;
  /** In the order of `seriesNames`; NaN where there is none. */
  readonly values: ArrayLike<number>;
  readonly reasons: number | null;
  readonly absence: Absence | null;
}

/** Who wants to know of all that is added, to write it down. */
export interface HistoryListener {
  sample(gpuKey: string, sample: Sample): void;
  bin(gpuKey: string, bin: Bin, bootId: string | null): void;
}

/** More than any node has; what a GPU that comes and goes under ever new names can cost is bounded by it. */
const gpusAtMost = 32;

/** The rings of all GPUs of a node. */
export class History implements GpuHistory {
  readonly intervalMs: number;
  readonly #now: () => Moment;
  readonly #rings = new Map<string, GpuRing>();
  /** Boot ids by the number under which samples know them; without an id each life has one of its own. */
  readonly #boots: (string | null)[] = [];
  readonly #bootNames = new Map<string, number>();
  #numbering = randomBytes(4).toString('hex');
  #life = 1;
  #boot: number | undefined;
  #listener: HistoryListener | undefined;

  constructor({ intervalMs, now }: HistoryOptions) {
    this.intervalMs = intervalMs;
    this.#now = now;
  }

  get numbering(): string {
    return this.#numbering;
  }

  /** Which life of the agent this is, of those that used the same folder. */
  get life(): number {
    return this.#life;
  }

  get gpuKeys(): readonly string[] {
    return [...this.#rings.keys()];
  }

  /** Why the newest row of a GPU has no values; null where it has. */
  lastAbsence(gpuKey: string): Absence | null {
    return this.#rings.get(gpuKey)?.lastAbsence ?? null;
  }

  get byteLength(): number {
    return [...this.#rings.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  listen(listener: HistoryListener): void {
    this.#listener = listener;
  }

  /** Goes on where an earlier life has ended. Before anything is added: first this, then bins, then samples, oldest first. */
  continue(numbering: string, lastLife: number): void {
    this.#numbering = numbering;
    this.#life = lastLife + 1;
  }

  /** As if nothing had been there: what could be read in part only would give numbers twice. */
  begin(): void {
    this.#rings.clear();
    this.#numbering = randomBytes(4).toString('hex');
  }

  /** What is not later than what is there already is left out, here and below. */
  restoreBin(gpuKey: string, bootId: string | null, bin: Omit<Bin, 'boot'>): void {
    this.#ring(gpuKey).restoreBin({ ...bin, boot: this.#bootOf(bootId, bin.life) });
  }

  restoreSample(gpuKey: string, bootId: string | null, sample: Omit<Sample, 'boot'>): void {
    this.#ring(gpuKey).add({ ...sample, boot: this.#bootOf(bootId, sample.life) });
  }

  /** All is restored. */
  restored(): void {
    for (const ring of this.#rings.values()) ring.restored();
  }

  /** Numbers that may have been given are not given again; those that were not count as rows that are lost. */
  skipRows(count: number): void {
    for (const ring of this.#rings.values()) ring.skipRows(count);
  }

  /** @returns the row's number; undefined where it is not later than the last one */
  add(gpuKey: string, taken: Taken): number | undefined {
    this.#boot ??= this.#bootOf(this.#now().bootId, this.#life);
    const sample = { ...taken, boot: this.#boot, life: this.#life };
    const added = this.#ring(gpuKey).add(sample);
    if (!added) return undefined;
    this.#listener?.sample(gpuKey, { ...sample, row: added.row });
    if (added.closed) this.#listener?.bin(gpuKey, added.closed, this.#boots[added.closed.boot] ?? null);
    return added.row;
  }

  rows(query: RowQuery): RowPage {
    const ring = this.#rings.get(query.gpuKey);
    if (!ring)
      return { rows: [], before: null, newestRow: 0, rowsLost: query.sinceRow === undefined ? 0 : null };
    const within = this.#within(query);
    const since = this.#since(query, ring);
    const rows: HistoryRow[] = [];
    let before: Sample | undefined;
    let there = 0;
    for (const sample of ring.samples(since ?? 0)) {
      there++;
      if (within(sample, 0) === 0) rows.push(this.#row(sample));
      else if (rows.length === 0) before = sample;
    }
    return {
      rows,
      before: before ? this.#row(before) : null,
      newestRow: ring.newestRow,
      rowsLost: rowsLost(query, since, ring.newestRow, there),
    };
  }

  bins(query: HistoryQuery): readonly HistoryBin[] {
    const within = this.#within(query);
    const bins = [...(this.#rings.get(query.gpuKey)?.bins() ?? [])];
    return bins.filter((bin) => within(bin, binMs) === 0).map((bin) => this.#bin(bin));
  }

  /** Undefined: there is none, or it says nothing, since it is from another numbering. */
  #since({ sinceRow, numbering }: RowQuery, { newestRow }: GpuRing): number | undefined {
    const known = numbering === undefined || numbering === this.#numbering;
    return sinceRow !== undefined && known && sinceRow <= newestRow ? sinceRow : undefined;
  }

  /**
   * Says whether a moment is before (-1), in (0) or after (1) what was asked for. Of this boot it goes by the time since
   * then: the labels of rows from before somebody set the clock would say something else.
   */
  #within({ fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY }: HistoryQuery) {
    const now = this.#now();
    return ({ boot, monotonicMs, atMs }: Pick<Sample, 'boot' | 'monotonicMs' | 'atMs'>, lengthMs: number) => {
      const thisBoot = now.bootId === null ? boot === this.#boot : this.#boots[boot] === now.bootId;
      const correctedMs = thisBoot ? now.atMs - (now.monotonicMs - monotonicMs) : atMs;
      if (correctedMs + lengthMs < fromMs) return -1;
      return correctedMs > toMs ? 1 : 0;
    };
  }

  #row({ row, atMs, monotonicMs, boot, life, values, reasons, absence }: Sample): HistoryRow {
    const bootId = this.#boots[boot] ?? null;
    return {
      row,
      atMs,
      monotonicMs,
      bootId,
      life,
      absence,
      values: orNulls(values),
      reasons: reasonsIn(reasons),
    };
  }

  #bin({ boot, heldMs, min, mean, max, ...bin }: Bin): HistoryBin {
    return {
      ...bin,
      bootId: this.#boots[boot] ?? null,
      heldMs: heldMs && Array.from(heldMs),
      min: orNulls(min),
      mean: orNulls(mean),
      max: orNulls(max),
    };
  }

  #ring(gpuKey: string): GpuRing {
    const known = this.#rings.get(gpuKey);
    if (known) return known;
    if (this.#rings.size >= gpusAtMost) this.#rings.delete(this.#longestAway());
    const ring = new GpuRing(this.intervalMs);
    this.#rings.set(gpuKey, ring);
    return ring;
  }

  /** The GPU whose last sample with values is oldest. */
  #longestAway(): string {
    const seen = [...this.#rings].map(([key, ring]) => ({ key, atMs: ring.lastSeenMs }));
    return seen.reduce((oldest, each) => (each.atMs < oldest.atMs ? each : oldest)).key;
  }

  #bootOf(bootId: string | null, life: number): number {
    const name = bootId ?? `life ${life}`;
    const known = this.#bootNames.get(name);
    if (known !== undefined) return known;
    this.#bootNames.set(name, this.#boots.length);
    return this.#boots.push(bootId) - 1;
  }
}

function rowsLost(
  { sinceRow }: RowQuery,
  since: number | undefined,
  newestRow: number,
  there: number,
): number | null {
  if (sinceRow === undefined) return 0;
  return since === undefined ? null : newestRow - since - there;
}
