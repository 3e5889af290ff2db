/** One figure: the value of every run, so that its spread can be seen. */
export interface Figure {
  /** What was measured, as a row of the table names it: `get_gpu_health, 8 GPUs: calls/s`. */
  readonly what: string;
  readonly unit: 'ms' | 's' | 'calls/s' | 'MB' | '%' | 'count' | 'ratio';
  /** One value per run. For a p99 that is the p99 of each run. */
  readonly runs: readonly number[];
  /** What the product is held to; absent where a figure only explains another. */
  readonly bound?: Bound;
}

export type Bound =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  /** In every run: that calls fail is no noise. */
  | { readonly above: number };

/** A part of the benchmark that can be run alone: `npm run bench -- agent-memory`. */
export interface Benchmark {
  readonly name: string;
  readonly about: string;
  /** Why it cannot run here (root, Linux, a program), or undefined where it can. */
  readonly whyNot: () => string | undefined;
  /** Hands over each figure when it is known, and stops whatever it started, also when it fails. */
  readonly measure: (report: (figure: Figure) => void) => Promise<void>;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** A time by the median: one unlucky run does not miss a bound, nor does a lucky one meet it. */
export function meets({ runs, bound }: Figure): boolean | undefined {
  if (bound === undefined) return undefined;
  if ('above' in bound) return Math.min(...runs) > bound.above;
  const value = median(runs);
  return 'atMost' in bound ? value <= bound.atMost : value >= bound.atLeast;
}

/** @throws Error for a figure that no run, or a run without a value, has made */
export function checkFigure(figure: Figure): Figure {
  if (figure.runs.length > 0 && figure.runs.every(Number.isFinite)) return figure;
  throw new Error(`${figure.what}: not a figure: [${figure.runs.join(', ')}]`);
}
