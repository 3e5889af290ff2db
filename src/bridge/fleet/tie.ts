import { setMaxListeners } from 'node:events';

import { timedOut } from '../../core/time-limit.ts';

/** A signal that follows others until it is let go. */
export interface Tie {
  readonly signal: AbortSignal;
  /** Once the answer is there: neither a timer nor the signals that it followed hold on to anything of the question. */
  release(): void;
}

/**
 * Aborts with the first of these signals. For what is asked often: `AbortSignal.any` leaves something behind in each of them
 * that lives on (nodejs/node issues 54614 and 64476; 10 KB for each call of the bridge on 20.20).
 */
export function tie(...signals: readonly AbortSignal[]): Tie {
  const own = new AbortController();
  setMaxListeners(0, own.signal); // each node of a fleet follows the one of its call
  const follow = signals.map((signal) => ({ signal, abort: () => own.abort(signal.reason) }));
  for (const { signal, abort } of follow) {
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  const release = () => {
    for (const { signal, abort } of follow) signal.removeEventListener('abort', abort);
  };
  return { signal: own.signal, release };
}

/** Aborts with the first of these signals, or after so many ms as `timeLimit` does. */
export function tieFor(ms: number, ...signals: readonly AbortSignal[]): Tie {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(timedOut(ms)), ms).unref();
  const both = tie(limit.signal, ...signals);
  const release = () => {
    clearTimeout(timer);
    both.release();
  };
  return { signal: both.signal, release };
}

/** What work that cannot be aborted, or is shared with others, comes to; its caller leaves with the signal's reason. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
