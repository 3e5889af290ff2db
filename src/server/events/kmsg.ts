import { constants, openSync, readSync } from 'node:fs';

import { type KernelLine, type KernelLog, kmsgLines, linesOfInterest, secondsOf } from './kernel-line.ts';

/** A reader keeps its place in the log, so what it has read is kept here: as much as a book looks at. */
const recordsAtMost = 8000;
/** The kernel hands out one record at a time, which is shorter. */
const longestRecord = 8192;

/** /dev/kmsg since it was opened, and how far back it goes without a gap. Undefined where it cannot be opened. */
export function openKmsg(path: string): (() => KernelLog) | undefined {
  const file = tried(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === undefined) return undefined;
  const buffer = Buffer.alloc(longestRecord);
  let lines: KernelLine[] = [];
  let oldest: number | null = null;
  let newest: number | null = null;
  function take(record: Buffer): void {
    newest = secondsOf(kmsgLines(record.toString())[0]);
    oldest ??= newest;
    lines.push(...linesOfInterest(record).flatMap(kmsgLines));
  }
  return () => {
    for (let read = nextRecord(file, buffer); read !== 'end'; read = nextRecord(file, buffer)) {
      if (read === 'overrun') oldest = null;
      else take(read);
    }
    lines = lines.slice(-recordsAtMost);
    return { lines, span: { oldest, newest } };
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
