// The conformance suite's fixtures on the agent's own HTTP stack. Compiled and run by tests only.
import { createLog } from '../../../src/core/log.ts';
import { capabilitiesMeta, clientMeta, type Message } from '../../../src/mcp/request.ts';
import { loopbackDoor } from '../../../src/server/agent.ts';
import { agentHttp } from '../../../src/server/http.ts';
import { httpLimits, listenerOptions } from '../../../src/server/limits.ts';
import { statelessHandler } from '../../../src/server/mcp.ts';
import { agentMetrics } from '../../../src/server/metrics.ts';
import { contextOf } from '../answers.ts';
import { snapshot } from '../gpus.ts';
import { directFixtures, fixtureServer } from './fixture-server.ts';

const log = createLog('error', (line) => process.stderr.write(line));
const metrics = agentMetrics(() => contextOf(snapshot([])));
const handler = statelessHandler(() => fixtureServer(() => handler.notify), {
  maxRequestBodySize: httpLimits.bodyBytes,
  direct: directFixtures,
  log,
});
const http = agentHttp({
  mcp: (request) => handler.fetch(request),
  log,
  metrics,
  ...loopbackDoor,
  ...httpLimits,
});
const fetch = async (request: Request) => http.fetch(await asOurs(request));
const { url } = Bun.serve({ ...listenerOptions, hostname: '127.0.0.1', port: 0, fetch });
process.stdout.write(`${new URL('/mcp', url).href}\n`);

/**
 * The suite's client says more of itself than our programs do, and what it calls would never be answered directly. Of a
 * call that may be, that is left out, and nothing else is touched: the suite then judges the direct answers.
 */
async function asOurs(request: Request): Promise<Request> {
  if (request.method !== 'POST') return request;
  const text = await request.clone().text();
  const message = messageIn(text);
  const { name = '', _meta } = message?.params ?? {};
  const isWhole = _meta && isObject(_meta[clientMeta]) && isObject(_meta[capabilitiesMeta]);
  if (message?.method !== 'tools/call' || !directFixtures.names.has(name) || !isWhole) return request;
  const meta = { ..._meta, [clientMeta]: { name: 'suite', version: '1' }, [capabilitiesMeta]: {} };
  return new Request(request, {
    body: JSON.stringify({ ...message, params: { ...message.params, _meta: meta } }),
  });
}

function messageIn(text: string): Message | undefined {
  try {
    const message = JSON.parse(text);
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
