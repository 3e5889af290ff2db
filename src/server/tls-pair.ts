import { createPrivateKey, X509Certificate } from 'node:crypto';

import { badFlag } from '../core/command-line.ts';
import { textOf } from './secrets.ts';

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

function parsed<T>(otherwise: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw badFlag(otherwise, cause);
  }
}
