import {
  type CallToolResult,
  type ListToolsResult,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';

import { Fault } from '../core/fault.ts';
import { didYouMean } from '../core/similar.ts';
import { plainText, sentence } from '../core/words.ts';

/** Set in a request's `_meta`: the agent then answers in data for a program, not in text for a model. */
export const structuredMeta = 'k8s-gpu-mcp/structured';
/** In a request's `_meta`: one id for a call, from the bridge to every agent's log. */
export const requestIdMeta = 'k8s-gpu-mcp/requestId';
/** In a result's `_meta`: how long the agent worked on it, in ms. */
export const toolMsMeta = 'k8s-gpu-mcp/toolMs';
/** In an agent's result's `_meta`, also of a failed one: the clocks of its node. */
export const clockMeta = 'k8s-gpu-mcp/clock';
/** In a failed result's `_meta`: the fault's code. */
export const codeMeta = 'k8s-gpu-mcp/code';

/** Lists never change while a program runs, and are the same for everyone. */
export const cacheHints = {
  'tools/list': { ttlMs: 300_000, cacheScope: 'public' },
  'server/discover': { ttlMs: 300_000, cacheScope: 'public' },
} as const;

/** A tool as `tools/list` shows it. */
export type ListedTool = ListToolsResult['tools'][number];

export type Call<Context = ServerContext> = (
  name: string,
  args: unknown,
  context: Context,
) => Promise<CallToolResult>;

/** Arguments are checked by the tools, in words of our own, not by the SDK. */
export function serveTools(server: Server, listed: readonly ListedTool[], call: Call): void {
  server.setRequestHandler('tools/list', () => ({ tools: [...listed] }));
  server.setRequestHandler('tools/call', async ({ params: { name, arguments: args } }, context) => {
    const names = listed.map((tool) => tool.name);
    if (!names.includes(name))
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no tool ${plainText(name, 64)}${didYouMean(name, names)}; there are ${names.join(', ')}.`,
      );
    return answered(() => call(name, args, context));
  });
}

/** What goes wrong in a tool is an answer too: the model may be able to mend it. */
export async function answered(call: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await call();
  } catch (thrown) {
    return failed(Fault.from(thrown));
  }
}

/** A failure the model can act on: what happened, then what to do about it. */
export function failed({ code, message, hint }: Fault, meta: CallToolResult['_meta'] = {}): CallToolResult {
  return {
    content: [{ type: 'text', text: `${code}: ${sentence(message)} ${hint}` }],
    isError: true,
    _meta: { [codeMeta]: code, ...meta },
  };
}
