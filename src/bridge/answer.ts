import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';

import { codeMeta } from '../mcp/tools.ts';
import { toolNamed } from '../tools/index.ts';
import { callTool } from './bridge.ts';
import type { Fleet } from './fleet/fleet.ts';

interface Asking {
  readonly fleet: Fleet;
  readonly structured: boolean;
  readonly context: ServerContext;
}

/** One call of a host: text for a model, data too where that was asked for. */
export async function answer(
  name: string,
  args: unknown,
  { fleet, structured, context }: Asking,
): Promise<CallToolResult> {
  const { signal } = context.mcpReq;
  const onProgress = progress(context);
  const {
    text,
    structured: data,
    status,
    failed,
  } = await callTool(fleet, toolNamed(name), args, { signal, onProgress });
  const [first] = failed;
  return {
    content: [{ type: 'text', text }],
    ...(structured && { structuredContent: data }),
    ...(status === 'error' && { isError: true, ...(first && { _meta: { [codeMeta]: first.code } }) }),
  };
}

/** Only for hosts that asked for it by a token: "17/40 nodes". */
function progress({ mcpReq }: ServerContext): (done: number, total: number) => void {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  return (done, total) => {
    const params = { progressToken, progress: done, total, message: `${done}/${total} nodes` };
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined);
  };
}
