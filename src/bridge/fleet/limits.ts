import { checkLadder } from '../../core/deadlines.ts';

/** How long we wait, in ms: each for what is inside it. */
export interface Limits {
  /** One request over a stream that is open already. */
  readonly attemptMs: number;
  /** Opening a stream and the first request over it. */
  readonly firstAttemptMs: number;
  /** All attempts at one node. */
  readonly nodeMs: number;
  /** The whole fleet: then the answer goes out with what has come. */
  readonly fanOutMs: number;
  /** Hosts give up after this (the MCP SDKs' default). */
  readonly hostMs: number;
  /** A stream is kept open for so long after its last use. */
  readonly warmMs: number;
  /** Well inside the agent's keep-alive and every proxy's idle limit. */
  readonly keepWarmMs: number;
  /** A failed node is probed after the first of these, then twice as long after each probe, up to the last. */
  readonly firstProbeMs: number;
  readonly lastProbeMs: number;
}

export const defaultLimits: Limits = {
  attemptMs: 1200,
  firstAttemptMs: 2500,
  nodeMs: 3000,
  fanOutMs: 5000,
  hostMs: 60_000,
  warmMs: 600_000,
  keepWarmMs: 45_000,
  firstProbeMs: 2000,
  lastProbeMs: 30_000,
};

/** @throws Fault BAD_FLAG when a wait would not end before the one around it */
export function checkLimits(limits: Limits): void {
  checkLadder([
    ['attempt', limits.attemptMs],
    ['dial and first attempt', limits.firstAttemptMs],
    ['node', limits.nodeMs],
    ['fan-out (--timeout)', limits.fanOutMs],
    ['host', limits.hostMs],
  ]);
}
