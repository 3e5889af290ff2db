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

/** Everything after the envelope is there only if a node answered. */
function outputOf({ head, row }: Tool): z.ZodObject {
  const answer = z.object({ ...head.shape, rows: z.array(row), page }).partial();
  return z.object({ ...envelope.shape, ...answer.shape });
}
