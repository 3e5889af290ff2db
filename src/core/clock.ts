/** The clocks of a node at one moment, so that an answer can be put beside those of other nodes and beside other logs. */
export interface NodeClock {
  /** ISO 8601, UTC, with milliseconds; as right as the node's own clock. Oracle: date -u */
  readonly wallTime: string;
  /** Milliseconds since the node booted: nobody sets it, it never goes back. Source: /proc/uptime; where that is not, since the agent started. */
  readonly monotonicMs: number;
  /** Another one after each boot; null where the kernel does not tell. Source: /proc/sys/kernel/random/boot_id */
  readonly bootId: string | null;
}
