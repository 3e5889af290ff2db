import { readFileSync } from 'node:fs';

import type { NodeClock } from '../core/clock.ts';
import type { Moment } from '../core/history.ts';

export interface BootClock {
  readonly bootId: string | null;
  /** Unix time in ms, by the clock of now. Source: /proc/stat, btime, which a container sees as its node does. */
  readonly bootedAtMs: number;
  /** Milliseconds since the node booted. */
  monotonicMs(): number;
  now(): NodeClock;
}

/** Read once: what it says later follows from the process's own monotonic clock. */
export function bootClock(proc = '/proc'): BootClock {
  const startedAtMs = performance.now();
  const uptimeMs = 1000 * Number.parseFloat(textOf(`${proc}/uptime`) ?? '0');
  const bootId = textOf(`${proc}/sys/kernel/random/boot_id`)?.trim() || null;
  const [, btime] = /^btime (\d+)$/m.exec(textOf(`${proc}/stat`) ?? '') ?? [];
  const monotonicMs = () => uptimeMs + performance.now() - startedAtMs;
  return {
    bootId,
    monotonicMs,
    bootedAtMs: btime === undefined ? Date.now() - uptimeMs : 1000 * Number(btime),
    now: () => ({
      wallTime: new Date().toISOString(),
      monotonicMs: Math.round(monotonicMs()),
      bootId,
    }),
  };
}

export function momentOf({ now }: Pick<BootClock, 'now'>): Moment {
  const { wallTime, ...rest } = now();
  return { ...rest, atMs: Date.parse(wallTime) };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
