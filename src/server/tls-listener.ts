import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, isIPv6, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

import { badFlag } from '../core/command-line.ts';
import type { Fetch } from './http.ts';
import type { TlsPair } from './tls-pair.ts';

/** One that is listened on. `stop` lets what is in flight be answered. */
export interface Listener {
  readonly url: URL;
  stop(): Promise<void>;
}

export interface Place {
  readonly hostname: string;
  readonly port: number;
  readonly fetch: Fetch;
}

/** A socket of Linux's abstract namespace: of this pod alone, and no file. */
export interface InnerPlace {
  readonly unix: string;
  readonly fetch: Fetch;
}

export type Listen = (place: Place | InnerPlace) => Listener;

export interface TlsListener extends Listener {
  /** Handshakes from now on are shown this certificate; connections that are open go on with the one they began with. */
  renew(pair: TlsPair): void;
}

/**
 * A listener whose certificate can be replaced while it listens: TLS ends here, and what is in it is handed on to a plain
 * listener. Bun.serve itself keeps its first certificate (reload does not change it), and to put another in its place resets
 * each connection that is in its handshake.
 *
 * @throws Fault BAD_FLAG where the address is taken, or none of ours
 */
export async function tlsListener(
  listen: Listen,
  { hostname, port, fetch }: Place,
  first: TlsPair,
): Promise<TlsListener> {
  const unix = `\0k8s-gpu-mcp-${randomUUID()}`;
  const plain = listen({ unix, fetch });
  const server = createServer({ ...first }, (encrypted) => join(encrypted, connect({ path: unix })));
  server.on('tlsClientError', (_, unsecured) => unsecured.destroy()); // it stays open else, also once its time is up
  server.listen(port, hostname);
  await once(server, 'listening').catch((cause: Error) => {
    throw badFlag(`cannot listen on ${hostname}:${port}: ${cause.message}`, cause);
  });
  return {
    url: new URL(`https://${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}/`),
    renew: (pair) => server.setSecureContext({ ...pair }),
    async stop() {
      const closed = once(server, 'close'); // with all connections: what was answered has been sent
      server.close();
      await Promise.all([plain.stop(), closed]);
    },
  };
}

/** Either end that goes takes the other with it, the client's once it has been sent everything. */
function join(encrypted: TLSSocket, plain: Socket): void {
  for (const each of [encrypted, plain]) each.on('error', () => undefined); // "close" follows
  encrypted.on('close', () => plain.destroy());
  plain.on('close', () => encrypted.destroySoon());
  encrypted.pipe(plain).pipe(encrypted);
}
