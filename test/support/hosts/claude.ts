import { desktopEnvironment, type Id, type Message, type Persona } from './persona.ts';

const sdkCancel = (requestId: Id, reason: string): Message => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason },
});

/**
 * Claude Desktop 1.7196. It asks for resources and prompts whatever was offered, all at once with the tools; gives no
 * progress token; takes a call back when its time is up. Source: modelcontextprotocol/servers#4153,
 * anthropics/claude-code#9012, ezyang/codemcp#263.
 */
export const claudeDesktop: Persona = {
  name: 'Claude Desktop',
  revision: '2025-11-25',
  opening: [
    [
      {
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: {},
          clientInfo: { name: 'claude-ai', version: '0.1.0' },
        },
        jsonrpc: '2.0',
        id: 0,
      },
    ],
    [
      { method: 'notifications/initialized', jsonrpc: '2.0' },
      { method: 'resources/list', params: {}, jsonrpc: '2.0', id: 1 },
      { method: 'tools/list', params: {}, jsonrpc: '2.0', id: 2 },
      { method: 'prompts/list', params: {}, jsonrpc: '2.0', id: 3 },
    ],
  ],
  call: (name, args, count) => ({
    method: 'tools/call',
    params: { name, arguments: args },
    jsonrpc: '2.0',
    id: 4 + count,
  }),
  cancel: (id) => sdkCancel(id, 'McpError: MCP error -32001: Request timed out'),
  shows: 'content',
  environment: desktopEnvironment,
  leaves: 'closes stdin',
};

/** The second process that Claude Desktop starts of each server, for its Code panel. Source: claude-code#96043. */
export const claudeDesktopCodePanel: Persona = {
  ...claudeDesktop,
  name: "Claude Desktop's Code panel",
  opening: claudeDesktop.opening.map((group) =>
    group.map((message) =>
      message.method === 'initialize'
        ? {
            ...message,
            params: { ...message.params, clientInfo: { name: 'local-agent-mode-gpus', version: '1.0.0' } },
          }
        : message,
    ),
  ),
};

const claudeCodeInfo = {
  name: 'claude-code',
  title: 'Claude Code',
  version: '2.1.292',
  description: "Anthropic's agentic coding tool",
  websiteUrl: 'https://claude.com/claude-code',
};

const claudeCodeMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': claudeCodeInfo,
  'io.modelcontextprotocol/clientCapabilities': {
    roots: { listChanged: true },
    elicitation: { form: {}, url: {} },
  },
};

const probe: Message = {
  jsonrpc: '2.0',
  id: 'server-discover-probe-1',
  method: 'server/discover',
  params: { _meta: claudeCodeMeta },
};

const toolUse = (count: number) => ({
  'claudecode/toolUseId': `toolu_01DguNc98zmrUdUQuFHn4w${count}`,
  progressToken: count,
});

const terminalEnvironment = {
  ...desktopEnvironment,
  PATH: '/usr/local/bin:/usr/bin:/bin',
  TERM: 'xterm-256color',
};

/**
 * Claude Code 2.1.283 on a machine where a server needs more than 3 s to start: its probe and the old handshake that it
 * falls back to wait in the pipe together, and a server that takes the probe for a handshake refuses the second one.
 * Also what anthropics/claude-code#96183 describes.
 */
export const claudeCodeAfterProbe: Persona = {
  name: 'Claude Code that probes and then shakes hands',
  revision: '2025-11-25',
  opening: [
    [
      probe,
      {
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: { roots: { listChanged: true }, elicitation: {} },
          clientInfo: { ...claudeCodeInfo, version: '2.1.283' },
        },
        jsonrpc: '2.0',
        id: 0,
      },
    ],
    [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { method: 'tools/list', jsonrpc: '2.0', id: 1 },
    ],
  ],
  call: (name, args, count) => ({
    method: 'tools/call',
    params: { name, arguments: args, _meta: toolUse(count + 2) },
    jsonrpc: '2.0',
    id: count + 2,
  }),
  cancel: (id) => sdkCancel(id, 'AbortError: The operation was aborted.'),
  shows: 'structuredContent',
  environment: terminalEnvironment,
  leaves: 'SIGINT',
};

/** Claude Code 2.1.292, which stays in the revision of 2026 and refuses a list of tools without `ttlMs` and `cacheScope`. */
export const claudeCode: Persona = {
  name: 'Claude Code',
  revision: '2026-07-28',
  opening: [
    [probe],
    [
      {
        jsonrpc: '2.0',
        id: 'listen:0',
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: claudeCodeMeta },
      },
      { method: 'tools/list', jsonrpc: '2.0', id: 0, params: { _meta: claudeCodeMeta } },
    ],
  ],
  call: (name, args, count) => ({
    method: 'tools/call',
    params: { name, arguments: args, _meta: { ...claudeCodeMeta, ...toolUse(count + 1) } },
    jsonrpc: '2.0',
    id: count + 1,
  }),
  cancel: (id) => sdkCancel(id, 'AbortError: The operation was aborted.'),
  shows: 'structuredContent',
  environment: terminalEnvironment,
  leaves: 'SIGINT',
};
