import koffi from 'koffi';

const WNOHANG = 1;

/**
 * Reaps children that have ended. As process 1 of a container we inherit those whose parents died, and must take their
 * exit status or they stay as zombies.
 *
 * @returns how many were reaped. Source: waitpid(2)
 */
export function childReaper(): () => number {
  const waitpid = koffi.load('libc.so.6').func('int waitpid(int pid, _Out_ int *status, int options)');
  return () => {
    let reaped = 0;
    while (waitpid(-1, [0], WNOHANG) > 0) reaped++;
    return reaped;
  };
}

/** The whole kernel log, until it is read again, or why there is none. */
export type KernelLogRead = { readonly bytes: Buffer } | { readonly errno: number };

const SYSLOG_ACTION_READ_ALL = 3;
const SYSLOG_ACTION_SIZE_BUFFER = 10;
/** Kernels are built with up to 32 MiB, usually 128 KiB to 1 MiB; of a longer log only the newest lines are read, for the sake of our memory. */
const longestLogBytes = 2 * 2 ** 20;

/**
 * Reads the kernel log without taking anything from it or changing what others read. Needs CAP_SYSLOG.
 *
 * Source: syslog(2), which glibc calls klogctl.
 */
export function kernelLogReader(): () => KernelLogRead {
  const klogctl = koffi.load('libc.so.6').func('int klogctl(int type, _Out_ uint8_t *bufp, int len)');
  let buffer: Buffer | undefined;
  return () => {
    if (!buffer) {
      const bytes: number = klogctl(SYSLOG_ACTION_SIZE_BUFFER, null, 0);
      if (bytes < 0) return { errno: koffi.errno() };
      buffer = Buffer.alloc(Math.min(bytes, longestLogBytes));
    }
    const length: number = klogctl(SYSLOG_ACTION_READ_ALL, buffer, buffer.length);
    return length < 0 ? { errno: koffi.errno() } : { bytes: buffer.subarray(0, length) };
  };
}
