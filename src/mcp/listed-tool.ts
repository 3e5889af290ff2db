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
    inputSchema: inputOf(input) as ListedTool['inputSchema'],
    annotations: { title, ...hints },
    ...(output && { outputSchema: outputOf(output) as Record<string, unknown> }),
  };
}

function inputOf(schema: z.ZodObject) {
  return short(z.toJSONSchema(schema, { io: 'input', override: ({ jsonSchema }) => unbounded(jsonSchema) }));
}

function outputOf(schema: z.ZodObject) {
  return short(
    z.toJSONSchema(schema, {
      io: 'output',
      override: ({ jsonSchema }) => {
        unbounded(jsonSchema);
        // Answers only grow: a host that kept an older list must not refuse what has been added since.
        delete jsonSchema.additionalProperties;
      },
    }),
  );
}

/** The dialect that zod names is the one that MCP takes where none is named. */
function short({ $schema: _dialect, ...schema }: z.core.JSONSchema.BaseSchema) {
  return schema;
}

/** zod bounds every integer by what a number can hold: it tells a model nothing, and every host pays for it in tokens. */
function unbounded(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}
