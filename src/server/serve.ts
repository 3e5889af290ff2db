import type { Log } from '../core/log.ts';
import type { Agent } from './agent.ts';
import type { Config } from './config.ts';
import { doorOf } from './door.ts';
import type { AgentHttp } from './http.ts';
import { isLoopback } from './reach.ts';
import { readToken, reread } from './secrets.ts';
import type { Listen, Listener, Place } from './tls-listener.ts';
import type { TlsFiles } from './tls-pair.ts';

interface Serving {
  readonly addrs: readonly string[];
  readonly port: number;
  readonly agent: Agent;
  readonly listen: Listen;
  readonly log: Log;
}

export interface McpListeners {
  readonly urls: readonly string[];
  /** From now on new requests are refused; resolves when those in flight are answered. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/** Listens at each address once, with the door that belongs to it; token and certificate are read again while it does. */
export async function serveMcp(config: Config, serving: Serving): Promise<McpListeners> {
  const { addrs, port, agent, listen, log } = serving;
  const token = currentToken(config, log);
  const open: { http: AgentHttp; listener: Listener }[] = [];
  for (const hostname of new Set(addrs)) {
    const http = agent.http(doorOf(config, hostname, token));
    const place = { hostname, port, fetch: http.fetch };
    const encrypted = hostname === config.exposeAddr || config.exposeAddr === undefined;
    const listener =
      config.tls && encrypted ? await renewed(place, config.tls, { config, listen, log }) : listen(place);
    open.push({ http, listener });
  }
  const reached = config.exposeAddr !== undefined || addrs.some((addr) => !isLoopback(addr));
  if (reached && !config.tls)
    log.warn(
      'the listener that is reachable from outside the pod is not encrypted: who sees its traffic sees the token',
    );
  return {
    urls: open.map(({ listener }) => listener.url.href),
    drain: async () => void (await Promise.all(open.map(({ http }) => http.drain()))),
    stop: async () => void (await Promise.all(open.map(({ listener }) => listener.stop()))),
  };
}

function currentToken(
  { tokenFile, token: first, sampleIntervalMs: intervalMs }: Config,
  log: Log,
): (() => string) | undefined {
  if (tokenFile === undefined || first === undefined) return undefined;
  return reread({ what: 'the token', first, read: () => readToken(tokenFile), intervalMs, log });
}

async function renewed(
  place: Place,
  files: TlsFiles,
  { config, listen, log }: { config: Config; listen: Listen; log: Log },
): Promise<Listener> {
  const [{ readTlsPair }, { tlsListener }] = await Promise.all([
    import('./tls-pair.ts'),
    import('./tls-listener.ts'),
  ]);
  const read = () => readTlsPair(files);
  const first = read();
  const listener = await tlsListener(listen, place, first);
  const { sampleIntervalMs: intervalMs } = config;
  reread({ what: 'the certificate', first, read, changed: listener.renew, intervalMs, log });
  return listener;
}
