import type { Bound, Figure } from './bench.ts';

/** Figures whose runs come one after the other, among those of other figures. */
export interface Rows {
  add(what: string, unit: Figure['unit'], value: number, bound?: Bound): void;
  /** In the order in which each was first added. */
  report(report: (figure: Figure) => void): void;
}

export function openRows(): Rows {
  const rows = new Map<string, Figure & { runs: number[] }>();
  return {
    add(what, unit, value, bound) {
      const row = rows.get(what) ?? { what, unit, runs: [], ...(bound && { bound }) };
      row.runs.push(value);
      rows.set(what, row);
    },
    report(report) {
      for (const row of rows.values()) report(row);
    },
  };
}
