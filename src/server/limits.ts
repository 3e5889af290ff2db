/** Longer than any client waits, so that it is never the agent who hangs up in the middle of an answer. */
export const httpLimits = {
  bodyBytes: 256 * 1024,
  maxInFlight: 32,
  responseMs: 90_000,
  keepAliveMs: 120_000,
  drainMs: 10_000,
} as const;

/** How a socket is listened on. */
export const listenerOptions = {
  idleTimeout: httpLimits.keepAliveMs / 1000, // Bun's own 10 s would cut a slow answer off
  development: false,
  reusePort: false, // else a second agent would get half of the calls
} as const;
