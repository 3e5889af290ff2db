import { slowReadEveryMs } from '../../core/driver.ts';

/**
 * Once a minute also where nobody asks: who holds a GPU that is stuck has left the driver's list, and is found only among
 * those that were on it before. /proc does not tell: a process that hangs in its exit has no open files any more.
 *
 * @returns to be called often
 */
export function processRounds(list: () => Promise<void>, nowMs: () => number): () => void {
  let listedAtMs = nowMs();
  return () => {
    if (nowMs() - listedAtMs < slowReadEveryMs) return;
    listedAtMs = nowMs();
    list().catch(() => undefined); // whoever asks is told why; here it is tried again
  };
}
