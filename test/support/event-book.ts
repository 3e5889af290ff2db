import { EventBook } from '../../src/server/events/event-book.ts';
import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { kernelLog } from '../../src/server/events/kernel-line.ts';

export const bootedAtMs = 1_700_000_000_000;

/** An agent's book on a node that has been up for a quarter of an hour, by clocks that a test sets. */
export function bookOf(given: { kept?: unknown; bootId?: string | null } = {}) {
  const clock = { ms: bootedAtMs + 900_000, setByMs: 0 };
  const book = new EventBook({
    bootId: 'boot-1',
    bootedAtMs,
    nowMs: () => clock.ms + clock.setByMs,
    monotonicMs: () => clock.ms - bootedAtMs,
    ...given,
  });
  const read = (...log: string[]) => {
    const { lines, span } = kernelLog(Buffer.from(log.join('\n')));
    return book.readLog(eventsIn(lines), span);
  };
  return { book, clock, read };
}

/** What the next agent finds on the disk. */
export function kept(book: EventBook) {
  return JSON.parse(JSON.stringify(book));
}
