/** The three clocks of a node at one moment, so that whoever reads an answer can put it beside other nodes' and other logs. */
export interface NodeClock {
  /** ISO 8601, UTC, with milliseconds; as right as the node's own clock. */
  readonly wallTime: string;
  /** Milliseconds since the node booted, without the time it was suspended: never set, never goes back. Source: CLOCK_MONOTONIC */
  readonly monotonicMs: number;
  /** Another one after each boot; null where the kernel does not tell. Source: /proc/sys/kernel/random/boot_id */
  readonly bootId: string | null;
}
