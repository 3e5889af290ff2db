import { z } from 'zod';

import { type Absence, absences, clocksReasons, seriesKinds, seriesNames } from '../../core/history.ts';
import type { Bin } from './bin.ts';
import { lineOf } from './record-line.ts';
import type { Sample } from './sample.ts';

/** What is in a segment: the file that one life of an agent appends to. */
export type Kind = 'samples' | 'bins';

/** The first line: by it a segment can be read even if another version has written it. */
const headerSchema = z.object({
  version: z.literal(1),
  numbering: z.string().regex(/^[\da-f]{8}$/),
  life: z.int().positive(),
  bootId: z.string().nullable(),
  series: z.array(z.string()),
  reasons: z.array(z.string()),
});
export type Header = z.output<typeof headerSchema>;

export function headerLine(own: Pick<Header, 'numbering' | 'life' | 'bootId'>): string {
  return lineOf({ version: 1, ...own, series: seriesNames, reasons: clocksReasons });
}

/** Undefined for what no version of ours has written, and for a version that we cannot read. */
export function headerIn(record: unknown): Header | undefined {
  return headerSchema.safeParse(record).data;
}

export function sampleLine(gpuKey: string, sample: Sample): string {
  const { row, atMs, monotonicMs, values, reasons, absence } = sample;
  return lineOf([gpuKey, row, atMs, monotonicMs, reasons, absence, absence === null ? list(values) : []]);
}

export function binLine(gpuKey: string, bootId: string | null, bin: Bin): string {
  const { row, life, atMs, monotonicMs, endMonotonicMs, count, coveredMs, absence, heldMs } = bin;
  const numbers = [row, life, atMs, monotonicMs, endMonotonicMs, count, coveredMs];
  const lists = [heldMs && Array.from(heldMs, Math.round), list(bin.min), list(bin.mean), list(bin.max)];
  return lineOf([gpuKey, bootId, absence, numbers, ...lists]);
}

export interface KeptSample {
  readonly gpuKey: string;
  readonly sample: Omit<Sample, 'boot'>;
}

export interface KeptBin {
  readonly gpuKey: string;
  readonly bootId: string | null;
  readonly bin: Omit<Bin, 'boot'>;
}

/**
 * Reads the records of one segment. A checksum says that a record is as it was written, so what is checked here is only
 * that it was written in this form.
 */
export class SegmentReader {
  readonly #life: number;
  /** Where each of our series stands in theirs: -1 for those that they did not keep. */
  readonly #series: readonly number[];
  readonly #reasons: readonly number[];

  constructor({ life, series, reasons }: Header) {
    this.#life = life;
    this.#series = seriesNames.map((name) => series.indexOf(name));
    this.#reasons = clocksReasons.map((name) => reasons.indexOf(name));
  }

  sample(record: unknown): KeptSample | undefined {
    if (!Array.isArray(record)) return undefined;
    const [gpuKey, row, atMs, monotonicMs, reasons, absence, values] = record as unknown[];
    if (typeof gpuKey !== 'string' || !isRow(row) || !areNumbers([atMs, monotonicMs])) return undefined;
    const place = { row, life: this.#life, atMs: Number(atMs), monotonicMs: Number(monotonicMs) };
    return {
      gpuKey,
      sample: {
        ...place,
        values: ordered(values, this.#series),
        reasons: typeof reasons === 'number' ? reasons : null,
        absence: absenceIn(absence),
      },
    };
  }

  bin(record: unknown): KeptBin | undefined {
    if (!Array.isArray(record)) return undefined;
    const [gpuKey, bootId, absence, numbers, held, min, mean, max] = record as unknown[];
    if (typeof gpuKey !== 'string' || !areNumbers(numbers)) return undefined;
    const [row, life = 0, atMs = 0, monotonicMs = 0, endMonotonicMs = 0, count = 0, coveredMs = 0] = numbers;
    if (!isRow(row)) return undefined;
    return {
      gpuKey,
      bootId: typeof bootId === 'string' ? bootId : null,
      bin: {
        ...{ row, life, atMs, monotonicMs, endMonotonicMs, count, coveredMs },
        absence: absenceIn(absence),
        heldMs: held === null ? null : ordered(held, this.#reasons).map((ms) => ms || 0),
        min: ordered(min, this.#series),
        mean: ordered(mean, this.#series),
        max: ordered(max, this.#series),
      },
    };
  }
}

/** Series that the other version did not keep are missing; those that we do not know are left out. */
function ordered(values: unknown, places: readonly number[]): number[] {
  const list = Array.isArray(values) ? (values as unknown[]) : [];
  return places.map((place) => {
    const value = list[place];
    return typeof value === 'number' ? value : Number.NaN;
  });
}

/** A newer version may know more words for it. */
function absenceIn(absence: unknown): Absence | null {
  if (absence === null) return null;
  return absences.find((known) => known === absence) ?? 'unreadable';
}

function isRow(row: unknown): row is number {
  return Number.isSafeInteger(row) && Number(row) > 0;
}

function areNumbers(values: unknown): values is number[] {
  return Array.isArray(values) && values.every(Number.isFinite);
}

/** NaN has no form in JSON: it becomes null. More digits than a column holds are not written. */
function list(values: ArrayLike<number>): number[] {
  return Array.from(values, (value, series) => Number(value.toPrecision(seriesKinds[series]?.wide ? 15 : 9)));
}
