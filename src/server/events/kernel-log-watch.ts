import { constants, openSync, readSync } from 'node:fs';

import type { Log } from '../../core/log.ts';
import type { KernelLogRead } from '../libc.ts';
import type { EventBook } from './event-book.ts';
import { eventsIn } from './gpu-lines.ts';
import { type KernelLine, kmsgLines, linesOfInterest, logLines } from './kernel-line.ts';
import type { XidBook } from './xid-book.ts';

/** The lines of the whole log that may be of interest, or why it cannot be read. */
export type LogLines = { readonly lines: readonly KernelLine[] } | { readonly reason: string };

export interface LogWatch {
  readonly book: EventBook;
  readonly xids: XidBook;
  readonly intervalMs: number;
  readonly log: Log;
}

/**
 * Reads the kernel log again and again, on this thread and not on that which calls the driver: when the driver hangs, this
 * is what tells why. A read takes less than a millisecond.
 *
 * @returns ends it
 */
export function watchKernelLog(read: () => LogLines, { book, xids, intervalMs, log }: LogWatch): () => void {
  let refused: string | undefined;
  function refuse(reason: string): void {
    book.source('kernelLog', reason);
    if (reason !== refused) log.warn('the kernel log cannot be read', { reason });
    refused = reason;
  }
  function take(lines: readonly KernelLine[]): void {
    refused = undefined;
    book.source('kernelLog', null);
    for (const event of book.readLog(eventsIn(lines))) xids.note(event);
  }
  function look(): void {
    const result = read();
    if ('reason' in result) refuse(result.reason);
    else take(result.lines);
  }
  look();
  const timer = setInterval(look, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

const permission =
  'it takes root, the capability SYSLOG, and leave of SELinux where that is enforced (chart value kernelLog.enabled)';

/** By klogctl, which takes nothing from the log; where that is refused by /dev/kmsg, if it is there. */
export function kernelLogLines(klogctl: () => KernelLogRead, kmsg = '/dev/kmsg'): () => LogLines {
  let records: (() => readonly KernelLine[]) | undefined;
  return () => {
    const result = klogctl();
    if ('bytes' in result) return { lines: logLines(result.bytes) };
    records ??= openKmsg(kmsg);
    return records ? { lines: records() } : { reason: `errno ${result.errno}: ${permission}` };
  };
}

/** A reader keeps its place in the log, so what it has read is kept here: as much as a book looks at. */
const recordsAtMost = 8000;
/** The kernel hands out one record at a time, which is shorter. */
const longestRecord = 8192;

/** All records of interest that the log has had since it was opened. Undefined where it cannot be opened. */
function openKmsg(path: string): (() => readonly KernelLine[]) | undefined {
  const file = tried(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === undefined) return undefined;
  const buffer = Buffer.alloc(longestRecord);
  let kept: KernelLine[] = [];
  return () => {
    for (let read = nextRecord(file, buffer); read !== 'end'; read = nextRecord(file, buffer)) {
      if (read === 'overrun') continue;
      kept.push(...linesOfInterest(read).flatMap(kmsgLines));
    }
    kept = kept.slice(-recordsAtMost);
    return kept;
  };
}

/** `overrun`: records were written over before they were read; the next read goes on behind them. */
function nextRecord(file: number, buffer: Buffer): Buffer | 'overrun' | 'end' {
  try {
    const length = readSync(file, buffer);
    return length > 0 ? buffer.subarray(0, length) : 'end';
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPIPE' ? 'overrun' : 'end';
  }
}

function tried<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
