import type { DriverInfo, HowRead, Identity, Inquiries, ReadOptions } from '../../core/driver.ts';
import type { FaultCode } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';

/** What the main thread asks of the Worker that calls NVML: one request at a time. */
export type LaneRequest =
  | { readonly op: 'open' | 'close' }
  | { readonly op: 'read'; readonly indices: readonly number[]; readonly options: ReadOptions }
  | { readonly op: 'inquire'; readonly what: keyof Inquiries; readonly index: number };

/** Only the readings that have changed since the last message about this GPU: most of them never do. */
export type TakenReadings = Partial<GpuReadings>;

export type Taken = readonly [index: number, readings: TakenReadings, how: HowRead];

/**
 * Travels as JSON. Of one request to read there may be several before the last, which alone says how it ended: with a
 * `value` or a `fault`.
 */
export interface LaneReply {
  readonly met?: readonly [index: number, identity: Identity];
  readonly taken: readonly Taken[];
  readonly ended?:
    | { readonly value: DriverInfo | Inquiries[keyof Inquiries] | number | null }
    | { readonly fault: { readonly code: FaultCode; readonly message: string } };
}

export interface LaneData {
  readonly library: string | undefined;
  /** Given: the thread waits for the driver's events, and takes only requests for that. */
  readonly events?: true;
  /** Three Int32: calls returned so far, 1 while the Worker is abandoned, and the GPU being read, from 1 on. */
  readonly shared: SharedArrayBuffer;
}

export const callsReturned = 0;
export const abandoned = 1;
export const readingGpu = 2;
