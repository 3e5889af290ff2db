import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';

import { median } from './bench.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Median time of `node -e 0`: what a start on this machine costs before any of our code runs. */
  readonly bareNodeMs: number;
  /** Processes that ran in the last minute before, on average: with more than a few tenths the figures are worth little. */
  readonly load: number;
}

/** What the figures were measured on: without it they say little. */
export function machine(): Machine {
  const [cpu] = cpus();
  const [load = Number.NaN] = loadavg();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    node: spawnSync('node', ['--version'], { encoding: 'utf8' }).stdout.trim(),
    bareNodeMs: Math.round(median(Array.from({ length: 15 }, () => bareStart()))),
    load: Number(load.toFixed(2)),
  };
}

function bareStart(): number {
  const startedMs = performance.now();
  spawnSync('node', ['-e', '0']);
  return performance.now() - startedMs;
}
