/** Thrown when no driver call has returned for too long. The operation itself is still running. */
export class Stalled extends Error {
  override readonly name = 'Stalled';
}

export interface StallLimits {
  /** A driver call that takes longer has hung; a slow driver that still returns calls has not. */
  readonly hangAfterMs: number;
  readonly nowMs: () => number;
}

/**
 * Waits for an operation for as long as it makes progress.
 *
 * @param progress a number that changes whenever a driver call has returned
 * @throws Stalled once it has not changed for `hangAfterMs`
 */
export async function whileProgressing<T>(
  operation: Promise<T>,
  progress: () => number,
  { hangAfterMs, nowMs }: StallLimits,
): Promise<T> {
  let last = progress();
  let lastAtMs = nowMs();
  let watch: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    watch = setInterval(() => {
      const current = progress();
      if (current !== last) [last, lastAtMs] = [current, nowMs()];
      else if (nowMs() - lastAtMs >= hangAfterMs)
        reject(new Stalled(`no driver call returned for ${hangAfterMs} ms`));
    }, hangAfterMs / 20);
  });
  try {
    return await Promise.race([operation, stalled]);
  } finally {
    clearInterval(watch);
  }
}
