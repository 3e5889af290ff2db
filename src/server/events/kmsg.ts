import { constants, openSync, readSync } from 'node:fs';

import { eventsIn } from './gpu-lines.ts';
import { type KernelLine, type KernelLog, kmsgLines, linesOfInterest, secondsOf } from './kernel-line.ts';
import { errorOf, newestOfEachError } from './newest-of-each.ts';

/** A reader keeps its place in the log, so what it has read is kept here: as much as a book looks at, so that no storm hides another error. */
interface KeptRecord {
  readonly error: string;
  readonly origin: KernelLine['origin'];
  readonly lines: readonly KernelLine[];
}

/** The kernel hands out one record at a time, which is shorter. */
const longestRecord = 8192;

/** /dev/kmsg since it was opened, and how far back it goes without a gap. Undefined where it cannot be opened. */
export function openKmsg(path: string): (() => KernelLog) | undefined {
  const file = tried(() => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === undefined) return undefined;
  const buffer = Buffer.alloc(longestRecord);
  let kept: readonly KeptRecord[] = [];
  let oldest: number | null = null;
  let newest: number | null = null;
  function taken(record: Buffer): KeptRecord[] {
    newest = secondsOf(kmsgLines(record.toString().split('\n', 1).join())[0]);
    oldest ??= newest;
    return keptOf(linesOfInterest(record).flatMap(kmsgLines));
  }
  return () => {
    const records = [...kept];
    for (let read = nextRecord(file, buffer); read !== 'end'; read = nextRecord(file, buffer)) {
      if (read === 'overrun') oldest = null;
      else records.push(...taken(read));
    }
    kept = newestOfEachError(records, ({ error }) => error);
    return { lines: kept.flatMap(({ lines }) => lines), span: { oldest, newest } };
  };
}

/** Whole, as its lines may be one report. */
function keptOf(lines: readonly KernelLine[]): KeptRecord[] {
  const [line] = lines;
  const [event] = eventsIn(lines);
  return line ? [{ error: event ? errorOf(event) : 'none', origin: line.origin, lines }] : [];
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
