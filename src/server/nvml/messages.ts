import type { DriverInfo } from '../../core/driver.ts';
import type { FaultCode } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';

/** What the main thread asks of the Worker that calls NVML: one request at a time. */
export type LaneRequest = { readonly op: 'open' | 'close' } | { readonly op: 'read'; readonly index: number };

/** Travels as JSON. */
export type LaneReply =
  | { readonly value: DriverInfo | GpuReadings | null }
  | { readonly fault: { readonly code: FaultCode; readonly message: string } };

export interface LaneData {
  readonly library: string | undefined;
  /** Two Int32: calls returned so far, and 1 once the Worker has been abandoned. */
  readonly shared: SharedArrayBuffer;
}

export const callsReturned = 0;
export const abandoned = 1;
