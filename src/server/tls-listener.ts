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
  readonly tls?: TlsPair;
  readonly reusePort?: boolean;
}

export type Listen = (place: Place) => Listener;

export interface TlsListener extends Listener {
  /** New connections see this certificate; those that are open go on with the one they began with. */
  renew(pair: TlsPair): void;
}

/**
 * A listener whose certificate can be replaced while it listens. Bun's `reload` keeps the old certificate, so a second
 * server takes the same port by SO_REUSEPORT before the first stops listening: the port is never closed, and requests in
 * flight are answered. Only a connection that is being opened in that very moment may be reset.
 *
 * SO_REUSEPORT would let another agent take the port too: so it is first taken alone, which fails where anybody has it.
 */
export async function tlsListener(listen: Listen, place: Place, first: TlsPair): Promise<TlsListener> {
  const shared = (tls: TlsPair): Listener => listen({ ...place, tls, reusePort: true });
  await listen({ ...place, tls: first }).stop();
  let current = shared(first);
  const stopping = new Set<Promise<void>>();

  function retire(listener: Listener): void {
    const stopped: Promise<void> = listener.stop().finally(() => stopping.delete(stopped));
    stopping.add(stopped);
  }

  return {
    url: current.url,
    renew(pair) {
      const next = shared(pair);
      retire(current);
      current = next;
    },
    async stop() {
      retire(current);
      await Promise.all(stopping);
    },
  };
}
