import type { Driver } from '../core/driver.ts';
import type { Log } from '../core/log.ts';

export interface DriverLifeOptions {
  /** Starts one more thread that may call the driver. */
  readonly spawn: () => Driver;
  /** What else holds the driver while a driver life lasts. */
  readonly beside?: BesideDriver | undefined;
  readonly hangAfterMs: number;
  /** GPUs have been read while another one takes long, or nothing responds any more. */
  readonly onBetween?: () => void;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** Must let go of the driver before it is opened anew: NVML counts inits for the whole process. */
export interface BesideDriver {
  begin(): void;
  /** Resolves when it holds nothing any more. */
  end(): Promise<void>;
}
