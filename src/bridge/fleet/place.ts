import pLimit, { type LimitFunction } from 'p-limit';

/** A limited number of places. Nodes that failed last have some of their own, and take none from others. */
export interface Places {
  readonly usual: LimitFunction;
  readonly suspect: LimitFunction;
}

export function placesFor(most: number, suspects: number): Places {
  return { usual: pLimit(most - suspects), suspect: pLimit(suspects) };
}

/**
 * Waits for one of a limited number of places; resolves to what leaves it again.
 *
 * @throws the signal's reason, at once, also while it waits
 */
export async function takePlace(places: LimitFunction, signal: AbortSignal): Promise<() => void> {
  signal.throwIfAborted();
  return new Promise((taken, left) => {
    const abort = () => left(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    void places(() => {
      signal.removeEventListener('abort', abort);
      return signal.aborted ? undefined : new Promise<void>((leave) => taken(leave));
    });
  });
}

/** Takes one place after the other; resolves to what leaves them all. Who gives up at one of them keeps none. */
export async function takeAll(...takes: readonly (() => Promise<() => void>)[]): Promise<() => void> {
  const taken: (() => void)[] = [];
  const leave = () => {
    for (const each of taken) each();
  };
  try {
    for (const take of takes) taken.push(await take());
    return leave;
  } catch (thrown) {
    leave();
    throw thrown;
  }
}
