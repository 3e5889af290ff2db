import { createHash, timingSafeEqual } from 'node:crypto';

import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  originValidationResponse,
} from '@modelcontextprotocol/server';

import type { Log } from '../core/log.ts';
import type { AgentMetrics } from './metrics.ts';

/** One listener, shaped like fetch: tests call it without a socket. */
export type Fetch = (request: Request) => Promise<Response>;

export interface HttpOptions {
  readonly mcp: Fetch;
  /** Gives the bearer token that every request must carry; undefined on a listener that only the pod itself reaches. */
  readonly token: (() => string) | undefined;
  /** Names that the Host header may have; undefined where a token guards. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly maxInFlight: number;
  readonly responseMs: number;
  readonly log: Log;
  readonly metrics: AgentMetrics;
}

export interface AgentHttp {
  readonly fetch: Fetch;
  /** From now on new requests are refused; resolves when those in flight are answered. */
  drain(): Promise<void>;
}

/** What a listener on loopback accepts: with it a web page cannot reach the agent by DNS rebinding. */
export const loopbackHosts = localhostAllowedHostnames();

/** Guards the MCP endpoint: path, Host, Origin, token, load. What passes is MCP's. */
export function agentHttp(options: HttpOptions): AgentHttp {
  const { mcp, maxInFlight, responseMs, log, metrics } = options;
  let inFlight = 0;
  let drained: (() => void) | undefined;

  function refusal(request: Request): Response | undefined {
    return intruder(request, options) ?? overload();
  }

  function overload(): Response | undefined {
    if (drained)
      return error(503, 'The agent is shutting down.', { 'retry-after': '1', connection: 'close' });
    if (inFlight < maxInFlight) return undefined;
    return error(429, `${maxInFlight} requests are being answered already.`, { 'retry-after': '1' });
  }

  async function answer(request: Request): Promise<Response> {
    inFlight++;
    metrics.inFlight(1);
    try {
      return await inTime(mcp(request), responseMs);
    } catch (thrown) {
      log.error('request failed', { error: String(thrown) });
      return error(500, 'The agent failed to answer; its log says why.');
    } finally {
      inFlight--;
      metrics.inFlight(-1);
      if (inFlight === 0) drained?.();
    }
  }

  return {
    fetch: async (request) => {
      const refused = refusal(request);
      if (refused) log.debug('refused', { status: refused.status });
      return refused ?? answer(request);
    },
    drain: () =>
      new Promise((resolve) => {
        drained = resolve;
        if (inFlight === 0) resolve();
      }),
  };
}

function intruder(request: Request, { token, allowedHosts }: HttpOptions): Response | undefined {
  const path = pathOf(request);
  if (path === undefined) return error(400, 'A Host header is needed that names a host.');
  if (path !== '/mcp') return error(404, 'The only path is /mcp (POST, MCP over HTTP).');
  const stranger = allowedHosts && hostHeaderValidationResponse(request, [...allowedHosts]);
  const foreignPage = originValidationResponse(request, [...(allowedHosts ?? loopbackHosts)]);
  if (stranger ?? foreignPage) return stranger ?? foreignPage;
  if (token === undefined || sameToken(request.headers.get('authorization'), token())) return undefined;
  return error(401, 'A bearer token is needed: Authorization: Bearer …', { 'www-authenticate': 'Bearer' });
}

/** Undefined where the request names no host, as HTTP/1.0 may: then Bun has no URL for it, only a path. */
export function pathOf({ url }: Request): string | undefined {
  return URL.canParse(url) ? new URL(url).pathname : undefined;
}

/** A body that never arrives must not hold a place for ever. */
async function inTime(response: Promise<Response>, ms: number): Promise<Response> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Response>((resolve) => {
    timer = setTimeout(() => resolve(error(408, `No answer within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([response, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Compared as digests of equal length, so that the time taken tells nothing about the token. */
function sameToken(authorization: string | null, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const [, given = ''] = /^Bearer (.+)$/i.exec(authorization ?? '') ?? [];
  return timingSafeEqual(digest(given), digest(token));
}

function error(status: number, message: string, headers: Record<string, string> = {}): Response {
  const body = { jsonrpc: '2.0', id: null, error: { code: -32_000, message } };
  return Response.json(body, { status, headers });
}
