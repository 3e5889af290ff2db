/**
 * Aborts after so many ms, as `AbortSignal.timeout` does, but cannot be lost: Node 20 holds the sources of an
 * `AbortSignal.any` weakly, so that a time-out nobody else refers to is collected as garbage and never comes
 * (seen on 20.20). Here its own timer holds it. Does not keep the process alive.
 */
export function timeLimit(ms: number): AbortSignal {
  const limit = new AbortController();
  setTimeout(() => limit.abort(timedOut(ms)), ms).unref();
  return limit.signal;
}

/** The reason of a signal whose time was up. */
export function timedOut(ms: number): DOMException {
  return new DOMException(`${ms} ms have passed`, 'TimeoutError');
}

/** True for the reason of a signal whose time was up, ours or `AbortSignal.timeout`'s. */
export function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}
