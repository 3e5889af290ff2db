import { closeSync, openSync, writeSync } from 'node:fs';

const device = '/dev/kmsg';

/**
 * Why nothing can be written into this machine's kernel log, or undefined where that can be done. That an agent may not
 * read it is no reason: it is what a test is there to find.
 */
export function whyNoKernelLog(): string | undefined {
  try {
    closeSync(openSync(device, 'w'));
    return undefined;
  } catch (cause) {
    return `a line of the kernel log needs ${device} to be writable: ${cause}`; // EPERM: sysctl kernel.printk_devkmsg=off
  }
}

/**
 * Writes lines into this machine's kernel log, as an error. The kernel takes them for those of a program, whatever they
 * say. They stay there: whoever reads the log later has to be able to tell that they are of a test.
 *
 * @param lines at most ten: of more in five seconds the kernel drops the rest
 */
export function writeKernelLog(...lines: readonly string[]): void {
  const file = openSync(device, 'w');
  try {
    for (const line of lines) writeSync(file, `<3>${line}\n`); // each write is a record
  } finally {
    closeSync(file);
  }
}
