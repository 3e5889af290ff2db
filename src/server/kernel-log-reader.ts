import { readFileSync } from 'node:fs';

import type { Log } from '../core/log.ts';
import { linesWithXids, XidBook } from './kernel-log.ts';
import type { KernelLogRead } from './libc.ts';

/**
 * Reads the kernel log again and again, on this thread and not on that which calls the driver: when the driver hangs, this
 * is what tells why. A read takes less than a millisecond.
 *
 * @returns what has been seen; undefined while the log cannot be read
 */
export function watchKernelLog(
  read: () => KernelLogRead,
  { intervalMs, bootedAtS, log }: { intervalMs: number; bootedAtS: number; log: Log },
): () => XidBook | undefined {
  const book = new XidBook(bootedAtS);
  let refusedWith: number | undefined;
  let readable = false;
  function look(): void {
    const result = read();
    readable = 'bytes' in result;
    if ('bytes' in result) book.read(linesWithXids(result.bytes), Date.now() / 1000);
    else if (result.errno !== refusedWith)
      log.warn(
        'the kernel log cannot be read: that takes root, the capability SYSLOG, and leave of SELinux where that is enforced',
        { errno: result.errno },
      );
    refusedWith = 'bytes' in result ? undefined : result.errno;
  }
  look();
  setInterval(look, intervalMs).unref();
  return () => (readable ? book : undefined);
}

/** Unix time. Source: /proc/stat, btime, which a container sees as its node does. */
export function bootTimeS(): number {
  return Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
}
