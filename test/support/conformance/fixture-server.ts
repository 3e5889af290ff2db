import { createRequestStateCodec, type McpHttpHandler, McpServer } from '@modelcontextprotocol/server';

import { cacheHints } from '../../../src/mcp/tools.ts';
import { registerInputRequired } from './fixture-input-required.ts';
import { registerPrompts } from './fixture-prompts.ts';
import { registerClientRequests } from './fixture-requests.ts';
import { registerResources } from './fixture-resources.ts';
import { contents, registerTools } from './fixture-tools.ts';

const serverInfo = { name: 'conformance-fixtures', version: '1' };

/** The tools that are answered without the SDK where the agent's would be. */
export const directFixtures = {
  serverInfo,
  names: new Set(Object.keys(contents)),
  call: async (name: string) => {
    process.stdout.write(`directly: ${name}\n`);
    return { content: [...(contents[name] ?? [])] };
  },
};

/** For as long as the program runs: each request is served by a server of its own, and the state is all that is left. */
const state = createRequestStateCodec<Record<string, unknown>>({
  key: crypto.getRandomValues(new Uint8Array(32)),
});

/**
 * The server that the conformance suite asks for: its names and texts, as its scenarios give them. What these fixtures do is
 * no part of our product; that they come through our HTTP stack as the specification says, is.
 */
export function fixtureServer(notify: () => McpHttpHandler['notify']): McpServer {
  const server = new McpServer(serverInfo, {
    cacheHints,
    capabilities: {
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
      completions: {},
    },
    requestState: { verify: state.verify },
  });
  registerTools(server, notify);
  registerClientRequests(server);
  registerInputRequired(server, (payload) => state.mint(payload));
  registerResources(server);
  registerPrompts(server);
  server.server.setRequestHandler('logging/setLevel', () => ({}));
  server.server.setRequestHandler('completion/complete', () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
  return server;
}
