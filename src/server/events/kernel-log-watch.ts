import type { Log } from '../../core/log.ts';
import type { KernelLogRead } from '../libc.ts';
import type { EventBook } from './event-book.ts';
import { eventsIn } from './gpu-lines.ts';
import { type KernelLog, kernelLog, type LogSpan, spanOf } from './kernel-line.ts';
import { openKmsg } from './kmsg.ts';
import type { XidBook } from './xid-book.ts';

/** The whole log, or that it is as it was the last time, or why it cannot be read. */
export type LogLines = KernelLog | 'unchanged' | { readonly reason: string };

export interface LogWatch {
  readonly book: EventBook;
  readonly xids: XidBook;
  readonly intervalMs: number;
  readonly log: Log;
}

export interface Watched {
  /** Now, and not only when it is time again. */
  look(): void;
  end(): void;
}

/**
 * Reads the kernel log again and again, on this thread and not on that which calls the driver: when the driver hangs, this
 * is what tells why. A read takes less than a millisecond; of a log that is full of our lines 60, once.
 */
export function watchKernelLog(read: () => LogLines, { book, xids, intervalMs, log }: LogWatch): Watched {
  let refused: string | undefined;
  function refuse(reason: string): void {
    book.source('kernelLog', reason);
    if (reason !== refused) log.warn('the kernel log cannot be read', { reason });
    refused = reason;
  }
  function take({ lines, span }: KernelLog): void {
    for (const event of book.readLog(eventsIn(lines), span)) xids.note(event);
  }
  function look(): void {
    const result = read();
    if (typeof result === 'object' && 'reason' in result) {
      refuse(result.reason);
      return;
    }
    refused = undefined;
    book.source('kernelLog', null);
    if (result === 'unchanged') book.logUnchanged();
    else take(result);
  }
  look();
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return { look, end: () => clearInterval(timer) };
}

const permission =
  'it takes root, the capability SYSLOG, and leave of SELinux where that is enforced (chart value kernelLog.enabled)';

/** By klogctl, which takes nothing from the log; where that is refused by /dev/kmsg, if it is there. */
export function kernelLogLines(klogctl: () => KernelLogRead, kmsg = '/dev/kmsg'): () => LogLines {
  let records: (() => KernelLog) | undefined;
  let last: Extent | undefined;
  return () => {
    const result = klogctl();
    if ('bytes' in result) {
      const extent = { ...spanOf(result.bytes), bytes: result.bytes.length };
      if (last && isSame(extent, last)) return 'unchanged';
      last = extent;
      return kernelLog(result.bytes);
    }
    records ??= openKmsg(kmsg);
    return records ? records() : { reason: `errno ${result.errno}: ${permission}` };
  };
}

interface Extent extends LogSpan {
  readonly bytes: number;
}

/** Where the kernel puts no times on its lines nobody can tell. */
function isSame(now: Extent, before: Extent): boolean {
  return (
    now.newest !== null &&
    now.newest === before.newest &&
    now.oldest === before.oldest &&
    now.bytes === before.bytes
  );
}
