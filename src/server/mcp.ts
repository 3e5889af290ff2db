import {
  type CallToolResult,
  createMcpHandler,
  type McpHttpHandler,
  type McpServer,
  Server,
} from '@modelcontextprotocol/server';

import { Fault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { plainText } from '../core/words.ts';
import {
  type Call,
  cacheHints,
  requestIdMeta,
  serveTools,
  structuredMeta,
  toolMsMeta,
} from '../mcp/tools.ts';
import { parseArguments } from '../tools/arguments.ts';
import { toolNamed } from '../tools/index.ts';
import { present } from '../tools/present.ts';
import type { NodeContext, Tool } from '../tools/tool.ts';
import { version } from '../version.ts';
import { listedTools } from './listed-tools.ts';
import type { AgentMetrics } from './metrics.ts';

export interface AgentMcp {
  /** As the downward API gives it, or the host's name: for texts and logs. The bridge does not believe it. */
  readonly node: string;
  readonly context: () => NodeContext;
  readonly log: Log;
  readonly metrics: AgentMetrics;
}

const instructions =
  'Answers for the GPUs of one Kubernetes node, from its last sample; each answer says how old that is. ' +
  'Values that cannot be read are null or listed as missing, with the reason.';

/** Makes the MCP server of one connection or request: it holds nothing. */
export function agentServer(agent: AgentMcp): Server {
  const server = new Server(
    { name: 'k8s-gpu-mcp-agent', title: 'k8s-gpu-mcp agent', version },
    { instructions, cacheHints, capabilities: { tools: { listChanged: false } } },
  );
  serveTools(server, listedTools, audited(agent));
  return server;
}

/** The agent's MCP endpoint, shaped like fetch: both protocol eras, stateless. */
export function agentHandler(agent: AgentMcp, maxRequestBodySize: number): McpHttpHandler {
  return statelessHandler(() => agentServer(agent), maxRequestBodySize, agent.log);
}

/** Whatever server it is of: the conformance suite's fixtures are mounted on the same one as our tools. */
export function statelessHandler(
  server: () => Server | McpServer,
  maxRequestBodySize: number,
  log: Log,
): McpHttpHandler {
  const onerror = (error: Error) => log.debug('mcp', { error: error.message });
  const handler = createMcpHandler(server, { maxRequestBodySize, onerror });
  return {
    ...handler,
    fetch: async (request) => handler.fetch(...(await parsed(request, maxRequestBodySize))),
  };
}

/**
 * The request with its body parsed. The SDK would copy the request and read its stream piece by piece, a tenth of the time
 * that a call takes. What is to be refused (too long, of unknown length, broken off, no JSON) is left for it to refuse.
 */
async function parsed(request: Request, maxBytes: number): Promise<Parameters<McpHttpHandler['fetch']>> {
  const length = Number(request.headers.get('content-length'));
  if (request.method !== 'POST' || !(length > 0 && length <= maxBytes)) return [request];
  const text = await request.text().catch(() => undefined);
  if (text === undefined) return [request];
  try {
    return [request, { parsedBody: JSON.parse(text) }];
  } catch {
    return [new Request(request, { body: text })];
  }
}

/** One line and one sample per call: who asked what and how long it took, nothing of what was answered. */
function audited({ node, context, log, metrics }: AgentMcp): Call {
  return async (name, args, { mcpReq }) => {
    const startedMs = performance.now();
    const requestId = plainText(String(mcpReq._meta?.[requestIdMeta] ?? mcpReq.id), 64);
    let outcome = 'ok';
    try {
      return answer(toolNamed(name), args, mcpReq._meta?.[structuredMeta] === true, {
        node,
        nodeContext: context(),
      });
    } catch (thrown) {
      outcome = Fault.from(thrown).code;
      throw thrown;
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
  args: unknown,
  structured: boolean,
  { node, nodeContext }: { node: string; nodeContext: NodeContext },
): CallToolResult {
  const startedMs = performance.now();
  const parsed = parseArguments(tool.input, args);
  const value = tool.answer(parsed, nodeContext);
  const _meta = () => ({ [toolMsMeta]: Number((performance.now() - startedMs).toFixed(3)) });
  if (structured) return { content: [], structuredContent: value, _meta: _meta() };
  const { text } = present(tool, parsed, [{ node, value }]);
  return { content: [{ type: 'text', text }], _meta: _meta() };
}
