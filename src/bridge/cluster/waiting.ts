import type { Fault } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';

/**
 * Waits for work that others wait for as well, so it goes on when this caller leaves.
 *
 * @throws what `late` says when the caller's time is up; the signal's own reason when the caller left
 */
export function waitFor<T>(
  work: Promise<T>,
  signal: AbortSignal,
  late: (cause: unknown) => Fault,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(isTimeout(signal.reason) ? late(signal.reason) : signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
