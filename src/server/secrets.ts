import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import { badFlag } from '../core/command-line.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { whyUnreadable } from '../core/words.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** PEM, as it was read. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

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

/**
 * @throws Fault BAD_FLAG where a file cannot be read, holds no PEM, or the key is not the certificate's
 */
export function readTlsPair({ certFile, keyFile }: TlsFiles): TlsPair {
  const pair = { cert: textOf('--tls-cert-file', certFile), key: textOf('--tls-key-file', keyFile) };
  const cert = parsed(
    `--tls-cert-file ${certFile} holds no certificate`,
    () => new X509Certificate(pair.cert),
  );
  const key = parsed(`--tls-key-file ${keyFile} holds no private key`, () => createPrivateKey(pair.key));
  if (!cert.checkPrivateKey(key))
    throw badFlag(`--tls-key-file ${keyFile} is not the key of --tls-cert-file ${certFile}`);
  return pair;
}

function textOf(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw badFlag(`${flag} ${path} cannot be read: ${whyUnreadable(cause)}`, cause);
  }
}

function parsed<T>(otherwise: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw badFlag(otherwise, cause);
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
      if (isDeepStrictEqual(next, current)) return;
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
