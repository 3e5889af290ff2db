/**
 * Waits up to five seconds without giving way to anything else: for what is done while this process exits.
 * @throws Error that names `what`
 */
export function waitSync(what: string, done: () => boolean): void {
  const giveUpAt = Date.now() + 5_000;
  while (!done()) {
    if (Date.now() > giveUpAt) throw new Error(`no ${what} within five seconds`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
}
