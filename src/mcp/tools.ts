import type {
  CallToolResult,
  McpServer,
  ServerContext,
  StandardSchemaWithJSON,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

import { Fault } from '../core/fault.ts';
import { sentence } from '../core/words.ts';
import type { Tool } from '../tools/tool.ts';

/** Set in a request's `_meta`: the agent then answers in data for a program, not in text for a model. */
export const structuredMeta = 'k8s-gpu-mcp/structured';
/** In a request's `_meta`: one id for a call, from the bridge to every agent's log. */
export const requestIdMeta = 'k8s-gpu-mcp/requestId';
/** In a result's `_meta`: how long the agent worked on it, in ms. */
export const toolMsMeta = 'k8s-gpu-mcp/toolMs';
/** In a failed result's `_meta`: the fault's code. */
export const codeMeta = 'k8s-gpu-mcp/code';

/** Lists never change while a program runs, and are the same for everyone. */
export const cacheHints = {
  'tools/list': { ttlMs: 300_000, cacheScope: 'public' },
  'server/discover': { ttlMs: 300_000, cacheScope: 'public' },
} as const;

/** A tool as a program offers it: its schemas are made once, not for each request. */
export interface Offered {
  readonly tool: Tool;
  readonly inputSchema: StandardSchemaWithJSON;
  readonly outputSchema: StandardSchemaWithJSON | undefined;
}

export function offer(tool: Tool, input: z.ZodObject, output?: z.ZodObject): Offered {
  return { tool, inputSchema: listed(z.strictObject(input.shape)), outputSchema: output && listed(output) };
}

export type Call = (tool: Tool, args: unknown, context: ServerContext) => Promise<CallToolResult>;

export function registerTools(server: McpServer, offered: readonly Offered[], call: Call): void {
  for (const { tool, inputSchema, outputSchema } of offered) {
    const { name, title, description } = tool;
    const annotations = {
      title,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    };
    const config = { title, description, inputSchema, annotations, ...(outputSchema && { outputSchema }) };
    server.registerTool(name, config, async (args: unknown, context: ServerContext) => {
      try {
        return await call(tool, args, context);
      } catch (thrown) {
        return failed(Fault.from(thrown));
      }
    });
  }
}

/** A failure the model can act on: what happened, then what to do about it. */
export function failed({ code, message, hint }: Fault): CallToolResult {
  return {
    isError: true,
    content: [{ type: 'text', text: `${code}: ${sentence(message)} ${hint}` }],
    _meta: { [codeMeta]: code },
  };
}

/** Listed as JSON Schema, but not checked by the SDK: we refuse arguments ourselves, in words of our own. */
function listed(schema: z.ZodType): StandardSchemaWithJSON {
  const input = z.toJSONSchema(schema, { io: 'input' });
  const output = z.toJSONSchema(schema, { io: 'output' });
  return {
    '~standard': {
      version: 1,
      vendor: 'k8s-gpu-mcp',
      validate: (value) => ({ value }),
      jsonSchema: { input: () => input, output: () => output },
    },
  };
}
