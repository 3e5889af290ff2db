import type { GpuReadings } from './gpu.ts';
import type { Reading } from './reading.ts';

/** Bytes per second between the last two samples: of what the driver only counts. */
export interface Rates {
  readonly pcieTxBytesPerSecond: Reading<number>;
  readonly pcieRxBytesPerSecond: Reading<number>;
  readonly nvlinkTxBytesPerSecond: Reading<number>;
  readonly nvlinkRxBytesPerSecond: Reading<number>;
}

export interface Sampled {
  readonly readings: GpuReadings;
  /** Monotonic. */
  readonly readAtMs: number | null;
}

/**
 * @param before the sample before; without one, and after a counter has been set back or has wrapped, a rate is notReady:
 *   how wide the driver's counters are is not documented, so a wrap cannot be told from a reset
 */
export function ratesBetween(before: Sampled | undefined, now: Sampled): Rates {
  const rate = (name: 'pcieTxBytes' | 'pcieRxBytes' | 'nvlinkTxBytes' | 'nvlinkRxBytes') =>
    rateOf(before?.readings[name], now.readings[name], (now.readAtMs ?? 0) - (before?.readAtMs ?? 0));
  return {
    pcieTxBytesPerSecond: rate('pcieTxBytes'),
    pcieRxBytesPerSecond: rate('pcieRxBytes'),
    nvlinkTxBytesPerSecond: rate('nvlinkTxBytes'),
    nvlinkRxBytesPerSecond: rate('nvlinkRxBytes'),
  };
}

function rateOf(
  before: Reading<number> | undefined,
  now: Reading<number>,
  elapsedMs: number,
): Reading<number> {
  if ('missing' in now) return now;
  if (!before || 'missing' in before || elapsedMs <= 0 || now.value < before.value)
    return { missing: 'notReady' };
  return { value: Math.round(((now.value - before.value) * 1000) / elapsedMs) };
}
