/**
 * Aborts after so many ms, as `AbortSignal.timeout` does, but cannot be lost: Node 20 holds the sources of an
 * `AbortSignal.any` weakly, so that a time-out nobody else refers to is collected as garbage and never comes
 * (seen on 20.20). Here its own timer holds it. Does not keep the process alive.
 */
export function timeLimit(ms: number): AbortSignal {
  return startTimeLimit(ms).signal;
}

/** For what is asked often: lifted once the answer is there, its timer and all that it holds do not outlive the question. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  lift(): void;
}

export function startTimeLimit(ms: number): TimeLimit {
  const limit = new AbortController();
  const abort = () => limit.abort(new DOMException(`${ms} ms have passed`, 'TimeoutError'));
  const timer = setTimeout(abort, ms).unref();
  return { signal: limit.signal, lift: () => clearTimeout(timer) };
}

/** True for the reason of a signal whose time was up, ours or `AbortSignal.timeout`'s. */
export function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}
