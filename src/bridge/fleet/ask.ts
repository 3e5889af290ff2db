import type { z } from 'zod';

import { Fault, faults, isFaultCode } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';
import { headersOf, messagesIn, request } from '../../mcp/request.ts';
import { codeMeta, requestIdMeta, structuredMeta, toolMsMeta } from '../../mcp/tools.ts';
import type { Tool } from '../../tools/tool.ts';
import { version } from '../../version.ts';
import { attempts } from './attempts.ts';
import type { NodeLimits } from './limits.ts';
import type { Reply, Road } from './road.ts';

/** How one agent is asked. */
export interface AskOptions {
  readonly road: Road;
  readonly token: string | undefined;
  readonly limits: NodeLimits;
  readonly signal: AbortSignal;
}

export interface NodeReply<T> {
  readonly value: T;
  /** How long the agent says that it worked on it. */
  readonly toolMs: number | null;
}

/**
 * Calls one tool on one node.
 *
 * @throws Fault what the agent answered, or why it could not be asked; or the caller's abort reason
 */
export async function askNode<T extends Tool>(
  tool: T,
  args: Readonly<Record<string, unknown>>,
  requestId: string,
  options: AskOptions,
): Promise<NodeReply<z.output<T['output']>>> {
  const meta = { [structuredMeta]: true, [requestIdMeta]: requestId };
  const message = request('tools/call', { name: tool.name, arguments: args }, { version, meta });
  return send(message, options, (result) => toolResult(tool, result));
}

/** The cheapest request that an agent answers: proof that it is there. */
export async function probeNode(options: AskOptions): Promise<void> {
  await send(request('server/discover', {}, { version }), options, () => undefined);
}

function send<T>(
  message: ReturnType<typeof request>,
  { road, token, limits, signal }: AskOptions,
  take: (result: ToolResult) => T,
): Promise<T> {
  const headers = { ...headersOf(message), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  return attempts(road, headers, JSON.stringify(message), (reply) => take(resultIn(reply)), {
    limits,
    signal,
  });
}

interface ToolResult {
  readonly isError?: boolean;
  readonly structuredContent?: unknown;
  readonly content?: readonly { readonly text?: string }[];
  readonly _meta?: Readonly<Record<string, unknown>>;
}

function resultIn(reply: Reply): ToolResult {
  const refusal = refusalOf(reply);
  if (refusal) throw refusal;
  const { result, error } = messageIn(reply);
  if (result) return result;
  const text = plainText(error?.message ?? 'neither result nor error');
  // -32602 Invalid params: in whatever words, that there is no such tool. What is wrong with arguments comes as a result.
  const code = error?.code === -32_602 ? 'AGENT_LACKS_TOOL' : 'NODE_BAD_ANSWER';
  throw new Fault(text, { code });
}

function refusalOf({ status, body }: Reply): Fault | undefined {
  if (status === 200) return undefined;
  const said = `HTTP ${status}: ${plainText(errorIn(body))}`;
  if (status === 401) return new Fault(said, { code: 'AGENT_UNAUTHORIZED' });
  if (status === 403) return new Fault(said, { code: 'AGENT_FORBIDDEN' });
  if (status === 429) return new Fault(said, { code: 'AGENT_BUSY' });
  if (status >= 500 || status === 408) return new Fault(said, { code: 'NODE_BAD_ANSWER' });
  return undefined;
}

/** What an agent's refusal says, out of its JSON; else, as from a proxy in between, the body as it is. */
function errorIn(body: string): string {
  try {
    const { message } = (JSON.parse(body) as { error: { message: unknown } }).error;
    return typeof message === 'string' ? message : body;
  } catch {
    return body;
  }
}

interface JsonRpcReply {
  readonly result?: ToolResult;
  readonly error?: { readonly code: number; readonly message: string };
}

function messageIn({ status, contentType, body }: Reply): JsonRpcReply {
  try {
    const reply = messagesIn(contentType, body).find((message) => {
      return typeof message === 'object' && message !== null && ('result' in message || 'error' in message);
    });
    if (reply) return reply as JsonRpcReply;
  } catch {
    // said below, with what came instead
  }
  const begins = plainText(body.slice(0, 80));
  throw new Fault(`HTTP ${status} with ${body.length} characters that are no MCP answer: ${begins}`, {
    code: 'NODE_BAD_ANSWER',
  });
}

function toolResult<T extends Tool>(tool: T, result: ToolResult): NodeReply<z.output<T['output']>> {
  if (result.isError) throw faultIn(result);
  const parsed = tool.output.safeParse(plain(result.structuredContent));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue ? `${issue.path.join('.')}: ${issue.message}` : '';
    throw new Fault(`its answer is not of the form of ${tool.name} (${where})`, { code: 'NODE_BAD_ANSWER' });
  }
  const toolMs = result._meta?.[toolMsMeta];
  return { value: parsed.data as z.output<T['output']>, toolMs: typeof toolMs === 'number' ? toolMs : null };
}

function faultIn({ content, _meta }: ToolResult): Fault {
  const code = _meta?.[codeMeta];
  const text = plainText(content?.[0]?.text ?? 'no reason given');
  if (!isFaultCode(code)) return new Fault(text, { code: 'NODE_BAD_ANSWER' });
  const { hint } = faults[code]; // it is said again with the Fault that is made here
  return new Fault(text.replace(`${code}: `, '').replace(` ${hint}`, '').replace(/\.$/, ''), { code });
}

/** What a node says is data: no string of it can move a terminal or pose as ours. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [plainText(key, 64), plain(one)]));
}
