import { readFileSync } from 'node:fs';

import { badFlag } from '../core/command-line.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { whyUnreadable } from '../core/words.ts';

/**
 * @throws Fault BAD_FLAG, without the token, where the file cannot be read or holds none
 */
export function readToken(path: string): string {
  const token = textOf('--token-file', path).trim();
  if (/[^\x21-\x7e]/.test(token))
    throw badFlag(`--token-file ${path} must hold one line of visible ASCII characters, without spaces`);
  if (token.length < 16)
    throw badFlag(`--token-file ${path} holds ${token.length} characters; at least 16 are needed`);
  return token;
}

/** @throws Fault BAD_FLAG */
export function textOf(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw badFlag(`${flag} ${path} cannot be read: ${whyUnreadable(cause)}`, cause);
  }
}

/** A mounted secret takes the kubelet about a minute to change: reading it this often loses nothing. */
const rereadMs = 10_000;

export interface Rereading<T> {
  readonly what: string;
  readonly first: T;
  readonly read: () => T;
  readonly changed?: (next: T) => void;
  readonly intervalMs: number;
  readonly log: Log;
}

/**
 * Reads a secret again and again, since Kubernetes changes a mounted one by swapping a symlink above it, which a watch on
 * the file does not see. One that has become unreadable or broken changes nothing: the last good one stays, and the
 * reason is logged once.
 *
 * @returns what gives the last good one
 */
export function reread<T>({ what, first, read, changed, intervalMs, log }: Rereading<T>): () => T {
  let current = first;
  let reason: string | undefined;
  function look(): void {
    try {
      const next = read();
      reason = undefined;
      if (JSON.stringify(next) === JSON.stringify(current)) return;
      changed?.(next);
      current = next;
      log.info(`${what} has changed, and is used from now on`);
    } catch (thrown) {
      const { message } = Fault.from(thrown);
      if (message !== reason)
        log.error(`${what} has changed, and the one before stays in use`, { reason: message });
      reason = message;
    }
  }
  setInterval(look, Math.min(intervalMs, rereadMs)).unref();
  return () => current;
}
