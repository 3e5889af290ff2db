import { z } from 'zod';

import { listedTool } from '../mcp/listed-tool.ts';
import { tools } from '../tools/index.ts';
import type { Tool } from '../tools/tool.ts';
import { fleetInput } from './bridge.ts';
import { envelope } from './fleet/envelope.ts';

/** What the bridge answers to `tools/list`, without and with `--structured`. The build replaces this module by its value. */
export const listedTools = {
  plain: tools.map((tool) => listedTool(tool, fleetInput(tool))),
  structured: tools.map((tool) => listedTool(tool, fleetInput(tool), outputOf(tool))),
};

/**
 * Fields by name, of rows their kinds, and no more: the names say what the values are, and every host would pay for the
 * rest in tokens, at every start. Everything after the envelope is there only if a node answered.
 */
function outputOf({ head, row }: Tool): z.ZodObject {
  const named = (shape: object) => Object.fromEntries(Object.keys(shape).map((name) => [name, z.unknown()]));
  return z.object({
    ...z.object({ ...named(envelope.shape), ...named(head.shape) }).partial().shape,
    status: envelope.shape.status,
    failed: z.array(z.unknown()),
    withoutAgent: z.array(z.unknown()),
    rows: z.array(z.looseObject({ kind: z.enum(kindsOf(row)) })).optional(),
    page: z.looseObject({ nextCursor: z.string().nullable() }).optional(),
  });
}

/** Rows of every tool are told apart by their `kind`. */
function kindsOf(row: z.ZodType): string[] {
  const options = row instanceof z.ZodUnion ? (row.options as z.ZodType[]) : [row];
  return options.flatMap((option) => {
    const kind = option instanceof z.ZodObject ? option.shape['kind'] : undefined;
    if (kind instanceof z.ZodEnum) return kind.options.map(String);
    return kind instanceof z.ZodLiteral ? [...kind.values].map(String) : [];
  });
}
