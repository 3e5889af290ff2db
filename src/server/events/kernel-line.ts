/** A line of the kernel log, whichever way it was read. */
export interface KernelLine {
  /** 0 emergency … 7 debug. */
  readonly level: number;
  /** `userSpace`: a program wrote it to /dev/kmsg, which it can do with any facility but the kernel's own. */
  readonly origin: 'kernel' | 'userSpace';
  /** As it is printed, `123.456789`; null where the kernel puts no times on its lines. */
  readonly printed: string | null;
  readonly text: string;
}

/** `<4>[  123.456789][ T42] text`: priority, seconds since boot and thread, of which the last two may be off. */
const syslogLine = /^<(\d{1,4})>(?:\[ {0,16}(\d{1,12}\.\d{1,9})\])?(?:\[ {0,16}[TC]\d{1,10}\])? ?(.*)$/;
/** `4,1234,123456789,-;text` or `4,1234,123456789,-,caller=T42;text`: priority, sequence, microseconds since boot, flags. */
const kmsgRecord = /^(\d{1,4}),\d{1,20},(\d{1,19}),[^;]{0,200};(.*)$/;

/** A line as klogctl gives it; null for anything else. Source: printk.c, print_prefix. */
export function kernelLine(line: string): KernelLine | null {
  const [, priority, printed = null, text = ''] = syslogLine.exec(line) ?? [];
  return priority === undefined ? null : { ...priorityOf(Number(priority)), printed, text };
}

/**
 * A record as /dev/kmsg gives it: a message of several lines is one record, its newlines and other control characters are
 * written `\\x0a`. The lines after it (` KEY=value`) tell of a device. Source: Documentation/ABI/testing/dev-kmsg.
 */
export function kmsgLines(record: string): KernelLine[] {
  const [, priority, microseconds = '', text = ''] = kmsgRecord.exec(record) ?? [];
  if (priority === undefined) return [];
  const digits = microseconds.padStart(7, '0');
  const printed = `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  return decoded(text)
    .split('\n')
    .map((line) => ({ ...priorityOf(Number(priority)), printed, text: line }));
}

/** Bytes, of which several may make one character. */
function decoded(text: string): string {
  return text.replace(/(?:\\x[\da-f]{2})+/g, (bytes) =>
    Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString(),
  );
}

function priorityOf(priority: number): Pick<KernelLine, 'level' | 'origin'> {
  return { level: priority & 7, origin: priority >> 3 === 0 ? 'kernel' : 'userSpace' };
}

/** From when to when a log tells, in the kernel's seconds: null where it is empty, or the kernel puts no times on its lines. */
export interface LogSpan {
  readonly oldest: number | null;
  readonly newest: number | null;
}

/** The lines of a log that may be of interest, and what all its lines reach over. */
export interface KernelLog {
  readonly lines: readonly KernelLine[];
  readonly span: LogSpan;
}

/** A log as klogctl gives it. */
export function kernelLog(log: Buffer): KernelLog {
  return { lines: linesOfInterest(log).flatMap((line) => kernelLine(line) ?? []), span: spanOf(log) };
}

export function spanOf(log: Buffer): LogSpan {
  const end = log.at(-1) === newline ? log.length - 1 : log.length;
  const first = log.toString('utf8', 0, Math.max(0, log.indexOf('\n')) || end);
  const last = end === 0 ? '' : log.toString('utf8', log.lastIndexOf('\n', end - 1) + 1, end);
  return { oldest: secondsOf(kernelLine(first)), newest: secondsOf(kernelLine(last)) };
}

export function secondsOf(line: KernelLine | null | undefined): number | null {
  const printed = line?.printed ?? null;
  return printed === null ? null : Number(printed);
}

const newline = '\n'.charCodeAt(0);
/** What no line has that is none of ours: the rest of a log of megabytes need not become a text. */
const marks = [
  'NVRM: ',
  'nvidia-nvswitch',
  'PCIe Bus Error: ',
  'AER: ',
  'aer_uncor_severity: ',
  'Killed process ',
];

/** The lines that may be of interest, in their order. */
export function linesOfInterest(log: Buffer): string[] {
  const starts = new Map<number, number>();
  for (const mark of marks) {
    for (let at = log.indexOf(mark); at >= 0; ) {
      const newline = log.indexOf('\n', at);
      const end = newline < 0 ? log.length : newline;
      starts.set(log.lastIndexOf('\n', at) + 1, end);
      at = log.indexOf(mark, end);
    }
  }
  return [...starts].sort(([a], [b]) => a - b).map(([start, end]) => log.toString('utf8', start, end));
}
