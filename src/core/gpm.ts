import type { Reading } from './reading.ts';

/**
 * What the units inside of a GPU do, in percent of the most that they can: NVIDIA's GPU performance monitoring (GPM), on
 * Hopper and newer. Source: nvmlGpmMetricsGet, the metric of this number. Oracle: dcgmi dmon -e 1001,1002,1003,1004,1005 …
 * (DCGM_FI_PROF_*), which takes the same counters
 */
export const gpmMetrics = {
  /** Some kernel or graphics engine was active. */
  graphicsPercent: 1,
  /** SMs with at least one warp on them. */
  smPercent: 2,
  /** Warps on the SMs, of those that there is room for. */
  smOccupancyPercent: 3,
  integerPercent: 4,
  /** Any of the tensor pipes. */
  tensorPercent: 5,
  /** The tensor pipe at FP64. */
  tensorFp64Percent: 6,
  /** The tensor pipe at FP16 and BF16. */
  tensorFp16Percent: 7,
  /** The tensor pipe at integers. */
  tensorIntegerPercent: 9,
  dramBandwidthPercent: 10,
  fp64Percent: 11,
  fp32Percent: 12,
  fp16Percent: 13,
} as const;
export type GpmMetric = keyof typeof gpmMetrics;
export const gpmMetricNames = Object.keys(gpmMetrics) as GpmMetric[];

/** Between two samples so far apart; each value is missing for a reason of its own. */
export interface GpmActivity {
  readonly windowMs: number;
  readonly metrics: Readonly<Record<GpmMetric, Reading<number>>>;
}

export interface GpmReport {
  readonly whole: Reading<GpmActivity>;
  /** Of each MIG GPU instance, which the whole GPU's figures do not tell apart. */
  readonly instances: readonly { readonly gpuInstanceId: number; readonly activity: Reading<GpmActivity> }[];
}

/** nvml.h: two samples must be more than 100 ms apart. */
export const leastGpmWindowMs = 100;
/** After a pause longer than this, what was between is not what the GPU does now. */
export const mostGpmWindowMs = 10_000;
/** Of who asks for the first time. */
export const firstGpmWindowMs = 250;

/** Whether a sample was taken and another is needed to tell anything. */
export function gpmIsBegun(report: Reading<GpmReport>): boolean {
  if ('missing' in report) return false;
  const { whole, instances } = report.value;
  return [whole, ...instances.map(({ activity }) => activity)].some(
    (activity) => 'missing' in activity && activity.missing === 'notReady',
  );
}
