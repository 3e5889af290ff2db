import { clocksReasons } from '../core/history.ts';
import type { ClocksEventReason } from '../core/power-readings.ts';
import { type Point, type Span, weightIn } from './timeline-points.ts';

/** By heat or by the hardware: a power cap is normal on a busy GPU, and an idle one is idle. */
export const slowdowns: readonly ClocksEventReason[] = [
  'hwSlowdown',
  'swThermalSlowdown',
  'hwThermalSlowdown',
  'hwPowerBrakeSlowdown',
];
const slowdownPlaces = slowdowns.map((reason) => clocksReasons.indexOf(reason));

/** The axis of a timeline, cut into equal stretches. */
export interface Columns extends Span {
  readonly columnMs: number;
  readonly count: number;
}

/** As many as there is something to tell apart, so that every column is as long as a sample at least. */
export function columnsOf({ fromMs, toMs }: Span, intervalMs: number, atMost: number): Columns {
  const lengthMs = Math.max(1, toMs - fromMs);
  const count = Math.max(1, Math.min(atMost, Math.floor(lengthMs / intervalMs)));
  return { fromMs, toMs, count, columnMs: lengthMs / count };
}

function columnsIn({ fromMs, columnMs, count }: Columns, span: Span): [number, number] {
  const first = Math.max(0, Math.floor((span.fromMs - fromMs) / columnMs));
  const last = Math.min(count - 1, Math.ceil((span.toMs - fromMs) / columnMs) - 1);
  return [first, last];
}

/** A sample that only just reaches into a column says nothing of it. */
const leastShare = 0.05;

/** The mean of one series in each column; null where there is no value. */
export function columnMeans(points: readonly Point[], series: number, columns: Columns): (number | null)[] {
  const sums = new Array<number>(columns.count).fill(0);
  const weights = new Array<number>(columns.count).fill(0);
  for (const point of points) {
    const value = point.mean[series] ?? null;
    if (value !== null)
      eachColumn(columns, point, (column, span) => {
        const weight = weightIn(point, span);
        sums[column] = (sums[column] ?? 0) + value * weight;
        weights[column] = (weights[column] ?? 0) + weight;
      });
  }
  return weights.map((weight, column) =>
    weight >= leastShare * columns.columnMs ? (sums[column] ?? 0) / weight : null,
  );
}

/** The newest row in each column; null where there is none. */
export function columnRows(points: readonly Point[], columns: Columns): (number | null)[] {
  const rows = new Array<number | null>(columns.count).fill(null);
  for (const point of points) {
    const column = Math.ceil((point.toMs - columns.fromMs) / columns.columnMs) - 1;
    if (column >= 0 && column < columns.count) rows[column] = point.row;
  }
  return rows;
}

/** In which columns the GPU was slowed down. */
export function slowedColumns(points: readonly Point[], columns: Columns): boolean[] {
  const slowed = new Array<boolean>(columns.count).fill(false);
  for (const point of points)
    if (slowdownPlaces.some((place) => (point.heldMs?.[place] ?? 0) > 0))
      eachColumn(columns, point, (column) => {
        slowed[column] = true;
      });
  return slowed;
}

/** In which columns something happened at these times; what is newer than the last sample is in the last one. */
export function columnsAt(
  timesMs: readonly number[],
  { fromMs, columnMs, count }: Omit<Columns, 'toMs'>,
): boolean[] {
  const happened = new Array<boolean>(count).fill(false);
  for (const atMs of timesMs)
    if (atMs >= fromMs) happened[Math.min(count - 1, Math.floor((atMs - fromMs) / columnMs))] = true;
  return happened;
}

function eachColumn(columns: Columns, point: Span, visit: (column: number, span: Span) => void): void {
  const [first, last] = columnsIn(columns, point);
  for (let column = first; column <= last; column++) {
    const fromMs = columns.fromMs + column * columns.columnMs;
    visit(column, { fromMs, toMs: fromMs + columns.columnMs });
  }
}
