import { listedTool } from '../mcp/listed-tool.ts';
import { tools } from '../tools/index.ts';

/** What the agent answers to `tools/list`. The build replaces this module by its value. */
export const listedTools = tools.map((tool) => listedTool(tool, tool.input));
