import { z } from 'zod';

import { listedTool } from '../mcp/listed-tool.ts';
import { tools } from '../tools/index.ts';
import type { Tool } from '../tools/tool.ts';
import { fleetInput } from './bridge.ts';
import { envelope } from './fleet/envelope.ts';

const page = z.object({
  rowsTotal: z.int(),
  firstRow: z.int(),
  rowsShown: z.int(),
  nextCursor: z.string().nullable(),
});

/** What the bridge answers to `tools/list`, without and with `--structured`. The build replaces this module by its value. */
export const listedTools = {
  plain: tools.map((tool) => listedTool(tool, fleetInput(tool))),
  structured: tools.map((tool) => listedTool(tool, fleetInput(tool), outputOf(tool))),
};

/**
 * Everything after the envelope is there only if a node answered. Of a row the kind is listed and no more: a row has up to a
 * hundred readings, whose names say what they are, and every host would pay for the list in tokens, at every start.
 */
function outputOf({ head, row }: Tool): z.ZodObject {
  const rows = z.array(z.looseObject({ kind: z.enum(kindsOf(row)) }));
  const answer = z.object({ ...head.shape, rows, page }).partial();
  const silent = z.array(z.looseObject({ node: z.string() }));
  return z.object({ ...envelope.shape, failed: silent, withoutAgent: silent, ...answer.shape });
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
