import { setTimeout as sleep } from 'node:timers/promises';

import type {
  CallToolResult,
  ContentBlock,
  McpHttpHandler,
  McpServer,
  ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

/** One red pixel. */
export const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** No samples. */
const wav = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

const image = { type: 'image', data: png, mimeType: 'image/png' } as const;

export const contents: Readonly<Record<string, readonly ContentBlock[]>> = {
  test_simple_text: [{ type: 'text', text: 'This is a simple text response for testing.' }],
  test_image_content: [image],
  test_audio_content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }],
  test_embedded_resource: [
    {
      type: 'resource',
      resource: {
        uri: 'test://embedded-resource',
        mimeType: 'text/plain',
        text: 'This is an embedded resource content.',
      },
    },
  ],
  test_multiple_content_types: [
    { type: 'text', text: 'Multiple content types test:' },
    image,
    {
      type: 'resource',
      resource: {
        uri: 'test://mixed-content-resource',
        mimeType: 'application/json',
        text: '{"test":"data","value":123}',
      },
    },
  ],
  // It must be answered by results only, with no request of the server's own among them.
  test_streaming_elicitation: [{ type: 'text', text: 'only results' }],
};

type Act = (context: ServerContext, notify: McpHttpHandler['notify']) => Promise<unknown> | unknown;

const acts: Readonly<Record<string, Act>> = {
  test_error_handling: () => {
    throw new Error('This tool intentionally returns an error for testing');
  },
  // Silent where the request named no log level.
  test_logging_tool: ({ mcpReq }) => mcpReq.log('info', 'for who asked for a log'),
  test_tool_with_logging: async ({ mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
      await sleep(50);
    }
  },
  test_tool_with_progress: async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    if (progressToken === undefined) return;
    for (const progress of [0, 50, 100]) {
      const params = { progressToken, progress, total: 100 };
      await mcpReq.notify({ method: 'notifications/progress', params });
      await sleep(50);
    }
  },
  // Their lists stay as they are: it is the event that subscribers wait for.
  test_trigger_tool_change: (_, notify) => notify.toolsChanged(),
  test_trigger_prompt_change: (_, notify) => notify.promptsChanged(),
};

export function registerTools(server: McpServer, notify: () => McpHttpHandler['notify']): void {
  for (const [name, content] of Object.entries(contents))
    server.registerTool(name, { description: name }, () => ({ content: [...content] }));
  for (const [name, act] of Object.entries(acts))
    server.registerTool(name, { description: name, inputSchema: z.object({}) }, async (_, context) => {
      await act(context, notify());
      return said('done');
    });
}

export function said(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] };
}
