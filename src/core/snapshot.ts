import type { DriverInfo, Inquiries } from './driver.ts';
import type { FaultCode } from './fault.ts';
import type { GpuReadings } from './gpu.ts';
import type { Rates } from './rates.ts';
import type { Missing } from './reading.ts';

/** What the agent knows of its node at one moment. Tools answer from it and never call the driver. Times are monotonic, in ms. */
export interface Snapshot {
  readonly simulated: boolean;
  readonly driver: DriverState;
  /** Every GPU known in this agent's life, by index; those that have vanished keep their place. */
  readonly gpus: readonly GpuState[];
}

/** What GPUs answered when they were asked last, by index; a GPU that nobody has asked is not there. */
export type Answers = {
  readonly [What in keyof Inquiries]: ReadonlyMap<
    number,
    { readonly readAtMs: number; readonly answer: Inquiries[What] }
  >;
};

/** What a GPU has answered; nothing where it has gone: another may have its index by now. */
export function answerOfGpu<Answer>(
  answers: ReadonlyMap<number, Answer>,
  { index, trouble }: GpuState,
): Answer | undefined {
  return trouble?.kind === 'vanished' ? undefined : answers.get(index);
}

/** Why a GPU has not answered. */
export function unanswered({ trouble }: GpuState): { readonly missing: Missing } {
  return { missing: trouble?.kind === 'vanished' ? 'gpuLost' : 'notReady' };
}

export type DriverState =
  | { readonly state: 'starting' }
  | { readonly state: 'ok'; readonly info: DriverInfo }
  /** Could not be opened, or went away: tried again with back-off. */
  | {
      readonly state: 'unavailable';
      readonly code: FaultCode;
      readonly message: string;
      readonly hint: string;
      readonly sinceMs: number;
    }
  /** A call has not returned and no Worker is left: every value is as old as it says. */
  | { readonly state: 'notResponding'; readonly info: DriverInfo | null; readonly sinceMs: number };

export interface GpuState {
  readonly index: number;
  readonly readings: GpuReadings;
  /** When the readings were taken; null where there are none: not yet, or no more since it or the driver has gone. */
  readonly readAtMs: number | null;
  /** When those were taken that are taken rarely: `slowReadings`. */
  readonly slowReadAtMs: number | null;
  /** How long the driver took to tell them, or has taken so far to tell them anew. */
  readonly tookMs?: number;
  /** Null where there are no readings. */
  readonly rates: Rates | null;
  readonly trouble: GpuTrouble | null;
}

/**
 * A driver call that takes longer than this has hung: GSP time-outs of new drivers take 6 s, and are hangs to whoever
 * waits. A GPU whose values take as long together is told to be slow.
 */
export const hangAfterMs = 5000;

/**
 * `lost`: the driver says that it has fallen off the bus. `hung`: a call on it has not returned, or not in time.
 * `vanished`: it was there in an earlier driver life, and the driver no longer offers it.
 */
export interface GpuTrouble {
  readonly kind: 'lost' | 'hung' | 'vanished';
  readonly sinceMs: number;
  /** Of a hung one whose call has returned, late: not asked again before. */
  readonly againAtMs?: number;
}
