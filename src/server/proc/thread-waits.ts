/** One look at the threads of a process that wait in the kernel. */
export interface Look {
  /** Monotonic. */
  readonly atMs: number;
  /** Who they are, and for how long each has run so far. */
  readonly threads: readonly string[];
}

/** Of each thread that waits, the first of the looks since which it has been found so at each and has not run; monotonic. */
export type Waits = ReadonlyMap<string, number>;

/** A process has up to hundreds of threads, may be on each GPU of a node, and is asked for as often as anybody likes. */
const lookAtMostEveryMs = 10_000;

/** The newest look at each process, which costs a file for each thread. */
export class ThreadLooks {
  readonly #waiting: (pid: number) => readonly string[];
  readonly #newest = new Map<number, Look>();

  constructor(waiting: (pid: number) => readonly string[]) {
    this.#waiting = waiting;
  }

  at(pid: number, nowMs: number): Look {
    const known = this.#newest.get(pid);
    if (known && isFresh(known, nowMs)) return known;
    const look = { atMs: nowMs, threads: this.#waiting(pid) };
    this.#newest.set(pid, look);
    return look;
  }

  forgetOld(nowMs: number): void {
    for (const [pid, look] of this.#newest) if (!isFresh(look, nowMs)) this.#newest.delete(pid);
  }
}

function isFresh({ atMs }: Look, nowMs: number): boolean {
  return nowMs - atMs < lookAtMostEveryMs;
}

/** @param before what was known of the same process at the look before */
export function waitsAfter({ atMs, threads }: Look, before: Waits | undefined): Waits {
  return new Map(threads.map((thread) => [thread, before?.get(thread) ?? atMs]));
}

/** For how long one of them has waited; null where none does. */
export function longestWaitMs({ atMs }: Look, waits: Waits): number | null {
  return waits.size === 0 ? null : atMs - Math.min(...waits.values());
}
