import { firstGpmWindowMs, type GpmActivity, type GpmMetric, type GpmReport } from '../core/gpm.ts';
import type { Reading } from '../core/reading.ts';
import { boards } from './boards.ts';
import type { ModelName } from './models.ts';
import { loadAt } from './noise.ts';

/** Of a training job at full load: figures of the kind that are published for large language models, not measured. */
const atFullLoad: Readonly<Record<GpmMetric, number>> = {
  graphicsPercent: 99,
  smPercent: 84,
  smOccupancyPercent: 31,
  integerPercent: 12,
  tensorPercent: 47,
  tensorFp64Percent: 0,
  tensorFp16Percent: 47,
  tensorIntegerPercent: 0,
  dramBandwidthPercent: 42,
  fp64Percent: 0,
  fp32Percent: 14,
  fp16Percent: 3,
};

export function simulatedGpm(seed: string, model: ModelName | undefined, atMs: number): Reading<GpmReport> {
  if (model === undefined || Number(boards[model].computeCapability) < 9) return { missing: 'notSupported' };
  const load = loadAt(seed, atMs);
  const metrics = Object.fromEntries(
    Object.entries(atFullLoad).map(([name, percent]) => [
      name,
      { value: Number((percent * load).toFixed(1)) },
    ]),
  ) as unknown as GpmActivity['metrics'];
  return { value: { whole: { value: { windowMs: firstGpmWindowMs, metrics } }, instances: [] } };
}
