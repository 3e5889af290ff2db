import { z } from 'zod';

import type { Tool } from '../tools/tool.ts';
import type { ListedTool } from './tools.ts';

/** Every tool of ours only reads, and nothing beyond the cluster that it was pointed at. */
const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** A tool with its schemas as JSON Schema, the form in which `tools/list` shows it. */
export function listedTool(tool: Tool, input: z.ZodObject, output?: z.ZodObject): ListedTool {
  const { name, title, description } = tool;
  return {
    name,
    title,
    description,
    inputSchema: z.toJSONSchema(input, { io: 'input' }) as ListedTool['inputSchema'],
    annotations: { title, ...hints },
    ...(output && { outputSchema: z.toJSONSchema(output, { io: 'output' }) as Record<string, unknown> }),
  };
}
