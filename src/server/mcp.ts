import {
  type CallToolResult,
  createMcpHandler,
  type Implementation,
  type McpHttpHandler,
  type McpServerFactory,
  SERVER_INFO_META_KEY,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

import type { Inquiries } from '../core/driver.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { plainText } from '../core/words.ts';
import { capabilitiesMeta, clientMeta, headersOf, protocolVersion, versionMeta } from '../mcp/request.ts';
import {
  answered,
  type Call,
  cacheHints,
  clockMeta,
  failed,
  requestIdMeta,
  serveTools,
  structuredMeta,
  toolMsMeta,
} from '../mcp/tools.ts';
import { parseArguments } from '../tools/arguments.ts';
import { clocksText } from '../tools/clocks.ts';
import { toolNamed } from '../tools/index.ts';
import { present } from '../tools/present.ts';
import type { NodeContext, Tool } from '../tools/tool.ts';
import { version } from '../version.ts';
import { serveEvents } from './event-resource.ts';
import { listedTools } from './listed-tools.ts';
import type { AgentMetrics } from './metrics.ts';

export interface AgentMcp {
  /** As the downward API gives it, or the host's name: for texts and logs. The bridge does not believe it. */
  readonly node: string;
  readonly context: () => NodeContext;
  /** Asks the driver what no sample holds; in time, or not at all. */
  readonly inquire: (what: keyof Inquiries) => Promise<void>;
  readonly log: Log;
  readonly metrics: AgentMetrics;
}

const instructions =
  'Answers for the GPUs of one Kubernetes node, from its last sample; each answer says how old that is. ' +
  'Values that cannot be read are null or listed as missing, with the reason.';

const serverInfo = { name: 'k8s-gpu-mcp-agent', title: 'k8s-gpu-mcp agent', version };

/**
 * Makes the MCP server of one connection or request: it holds nothing.
 *
 * @param subscribe whether who listens is told of new events: over HTTP since 2026-07-28; others have the cursor alone
 */
export function agentServer(agent: AgentMcp, subscribe = false): Server {
  const capabilities = { tools: { listChanged: false }, resources: { listChanged: false, subscribe } };
  const server = new Server(serverInfo, { instructions, cacheHints, capabilities });
  serveEvents(server, agent.context);
  const call = audited(agent);
  serveTools(server, listedTools, (name, args, { mcpReq }) => call(name, args, mcpReq));
  return server;
}

/** The agent's MCP endpoint, shaped like fetch: both protocol eras, stateless. */
export function agentHandler(agent: AgentMcp, maxRequestBodySize: number): McpHttpHandler {
  const names = new Set(listedTools.map(({ name }) => name));
  const direct = { serverInfo, names, call: audited(agent) };
  return statelessHandler(({ era }) => agentServer(agent, era === 'modern'), {
    maxRequestBodySize,
    direct,
    log: agent.log,
  });
}

/** Tools that need nothing but their arguments and the request's metadata, and answer with one result. */
interface Direct {
  readonly serverInfo: Implementation;
  readonly names: ReadonlySet<string>;
  readonly call: Call<CallMeta>;
}

type CallMeta = Pick<ServerContext['mcpReq'], 'id' | '_meta'>;

/** Bridges and hosts that wait for events of one node; each holds a connection. */
const maxSubscriptions = 64;

interface StatelessOptions {
  readonly maxRequestBodySize: number;
  readonly direct: Direct;
  readonly log: Log;
}

/** Whatever server it is of: the conformance suite's fixtures are mounted on the same one as our tools. */
export function statelessHandler(
  server: McpServerFactory,
  { maxRequestBodySize, direct, log }: StatelessOptions,
): McpHttpHandler {
  const onerror = (error: Error) => log.debug('mcp', { error: error.message });
  const handler = createMcpHandler(server, { maxRequestBodySize, maxSubscriptions, onerror });
  return {
    ...handler,
    fetch: async (given) => {
      const [request, options] = await parsed(given, maxRequestBodySize);
      return (await answerDirectly(request, options?.parsedBody, direct)) ?? handler.fetch(request, options);
    },
  };
}

/**
 * The request with its body parsed. The SDK would copy the request and read its stream piece by piece, a tenth of the time
 * that a call takes. What is to be refused (too long, of unknown length, no JSON) is left for it to refuse.
 */
async function parsed(request: Request, maxBytes: number): Promise<Parameters<McpHttpHandler['fetch']>> {
  const length = Number(request.headers.get('content-length'));
  if (request.method !== 'POST' || !(length > 0 && length <= maxBytes)) return [request];
  const text = await request.text();
  try {
    return [request, { parsedBody: JSON.parse(text) }];
  } catch {
    return [new Request(request, { body: text })];
  }
}

/** A call as our own programs make it, and nothing besides: of such a one there is nothing to refuse or negotiate. */
const directCall = z.strictObject({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.int()]),
  method: z.literal('tools/call'),
  params: z.strictObject({
    name: z.string(),
    arguments: z.record(z.string(), z.unknown()).optional(),
    _meta: z.strictObject({
      [versionMeta]: z.literal(protocolVersion),
      [clientMeta]: z.strictObject({ name: z.string(), version: z.string() }),
      [capabilitiesMeta]: z.strictObject({}),
      [structuredMeta]: z.boolean().optional(),
      [requestIdMeta]: z.string().optional(),
    }),
  }),
});

/**
 * What the SDK would answer, to the byte but for the times: its own way through a fresh server costs several times what our
 * answer does. Undefined for all that is not exactly such a call, under exactly its headers: that is the SDK's.
 */
async function answerDirectly(
  { headers }: Request,
  body: unknown,
  direct: Direct,
): Promise<Response | undefined> {
  const { data } = directCall.safeParse(body);
  if (!data || !direct.names.has(data.params.name)) return undefined;
  if (!Object.entries(headersOf(data)).every(([name, value]) => headers.get(name) === value))
    return undefined;
  const { id, params } = data;
  const { _meta, ...result } = await answered(() =>
    direct.call(params.name, params.arguments, { id, _meta: params._meta }),
  );
  const whole = { _meta: { ..._meta, [SERVER_INFO_META_KEY]: direct.serverInfo }, ...result };
  const message = { result: { ...whole, resultType: 'complete' }, jsonrpc: '2.0', id };
  return new Response(JSON.stringify(message), { headers: { 'content-type': 'application/json' } });
}

/** One line and one sample per call: who asked what and how long it took, nothing of what was answered. */
function audited({ node, context, inquire, log, metrics }: AgentMcp): Call<CallMeta> {
  return async (name, args, { id, _meta }) => {
    const startedMs = performance.now();
    const requestId = plainText(String(_meta?.[requestIdMeta] ?? id), 64);
    let outcome = 'ok';
    try {
      const tool = toolNamed(name);
      const parsed = parseArguments(tool.input, args);
      const what = tool.inquires?.(parsed);
      if (what) await inquire(what);
      return answer(tool, parsed, _meta?.[structuredMeta] === true, {
        node,
        nodeContext: context(),
      });
    } catch (thrown) {
      const fault = Fault.from(thrown);
      outcome = fault.code;
      return failed(fault, { [clockMeta]: context().clock });
    } finally {
      const durationMs = performance.now() - startedMs;
      metrics.called(name, outcome, durationMs);
      log.info('call', {
        tool: name,
        node,
        requestId,
        durationMs: Number(durationMs.toFixed(2)),
        outcome,
      });
    }
  };
}

function answer(
  tool: Tool,
  parsed: Record<string, unknown>,
  structured: boolean,
  { node, nodeContext }: { node: string; nodeContext: NodeContext },
): CallToolResult {
  const startedMs = performance.now();
  const value = tool.answer(parsed, nodeContext);
  const _meta = () => ({
    [toolMsMeta]: Number((performance.now() - startedMs).toFixed(3)),
    [clockMeta]: nodeContext.clock,
  });
  if (structured) return { content: [], structuredContent: value, _meta: _meta() };
  const clocks = clocksText([{ node, ...nodeContext.clock }], 0);
  const { text } = present(tool, parsed, [{ node, value }], { clocks });
  return { content: [{ type: 'text', text }], _meta: _meta() };
}
