import { checkLadder } from '../../core/deadlines.ts';

/** How long one node is waited for, in ms. */
export interface NodeLimits {
  /** One request over a stream that is open already. */
  readonly attemptMs: number;
  /** Opening a stream, or starting a program, and the first request over it. */
  readonly firstAttemptMs: number;
  /** All attempts at one node. */
  readonly nodeMs: number;
  /** A failed node is probed after the first of these, then twice as long after each probe, up to the last. */
  readonly firstProbeMs: number;
  readonly lastProbeMs: number;
}

/** The ladder of nodes that are asked by exec: each request starts a program on the node, which opens the driver. */
export interface ExecLimits extends NodeLimits {
  /** The whole fleet, where a node is asked by exec. */
  readonly fanOutMs: number;
}

/** How long we wait, in ms: each for what is inside it. */
export interface Limits extends NodeLimits {
  /** The whole fleet: then the answer goes out with what has come. */
  readonly fanOutMs: number;
  /** A second look, in the middle of a call, at who stands for a node that failed. */
  readonly secondLookMs: number;
  /** Hosts give up after this (the MCP SDKs' default). */
  readonly hostMs: number;
  /** A stream is kept open for so long after its last use. */
  readonly warmMs: number;
  /** Well inside the agent's keep-alive and every proxy's idle limit. */
  readonly keepWarmMs: number;
  readonly exec: ExecLimits;
}

export const defaultLimits: Limits = {
  attemptMs: 1200,
  firstAttemptMs: 2500,
  nodeMs: 3000,
  fanOutMs: 5000,
  secondLookMs: 1000,
  hostMs: 60_000,
  warmMs: 600_000,
  keepWarmMs: 45_000,
  firstProbeMs: 2000,
  lastProbeMs: 30_000,
  exec: {
    attemptMs: 8000,
    firstAttemptMs: 8000,
    nodeMs: 10_000,
    fanOutMs: 15_000,
    firstProbeMs: 10_000, // a probe is a program started on a node that may be in trouble
    lastProbeMs: 120_000,
  },
};

export const defaultExecTimeoutMs = 60_000;

/**
 * The limits that the user's words mean. A time for whole calls is the fan-out of both ladders; what leaves the exec ladder
 * less than it is made for shrinks all its rungs alike, so that they stay nested.
 *
 * @param timeoutMs `--timeout`, if given
 * @param execTimeoutMs `EXEC_TIMEOUT`: no call waits longer for an exec
 * @throws Fault BAD_FLAG when a wait would not end before the one around it
 */
export function limitsFor(timeoutMs: number | undefined, execTimeoutMs: number): Limits {
  const { exec } = defaultLimits;
  const fanOutMs = Math.min(timeoutMs ?? exec.fanOutMs, execTimeoutMs);
  const share = Math.min(1, fanOutMs / exec.fanOutMs);
  const attemptMs = Math.round(exec.attemptMs * share);
  const limits = {
    ...defaultLimits,
    fanOutMs: timeoutMs ?? defaultLimits.fanOutMs,
    exec: {
      ...exec,
      attemptMs,
      firstAttemptMs: attemptMs,
      nodeMs: Math.round(exec.nodeMs * share),
      fanOutMs,
    },
  };
  checkLimits(limits);
  return limits;
}

/** @throws Fault BAD_FLAG when a wait would not end before the one around it */
export function checkLimits({ exec, ...limits }: Limits): void {
  checkLadder([
    ['attempt', limits.attemptMs],
    ['dial and first attempt', limits.firstAttemptMs],
    ['node', limits.nodeMs],
    ['fan-out (--timeout)', limits.fanOutMs],
    ['host', limits.hostMs],
  ]);
  checkLadder([
    ['attempt by exec', exec.firstAttemptMs],
    ['node by exec', exec.nodeMs],
    ['fan-out with exec (--timeout, EXEC_TIMEOUT)', exec.fanOutMs],
    ['host', limits.hostMs],
  ]);
}
