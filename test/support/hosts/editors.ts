import { randomUUID } from 'node:crypto';

import { desktopEnvironment, type Persona } from './persona.ts';

/** Cursor: no `params` where there are none, and resources and prompts asked for in any case. */
export const cursor: Persona = {
  name: 'Cursor',
  revision: '2025-11-25',
  opening: [
    [
      {
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: { elicitation: { form: {} }, roots: { listChanged: false } },
          clientInfo: { name: 'cursor-vscode', version: '1.0.0' },
        },
        jsonrpc: '2.0',
        id: 0,
      },
    ],
    [{ method: 'notifications/initialized', jsonrpc: '2.0' }],
    [
      { method: 'tools/list', jsonrpc: '2.0', id: 1 },
      { method: 'prompts/list', jsonrpc: '2.0', id: 2 },
      { method: 'resources/list', jsonrpc: '2.0', id: 3 },
      { method: 'resources/templates/list', jsonrpc: '2.0', id: 4 },
    ],
  ],
  call: (name, args, count) => ({
    method: 'tools/call',
    params: { name, arguments: args, _meta: { progressToken: 5 + count } },
    jsonrpc: '2.0',
    id: 5 + count,
  }),
  cancel: (requestId) => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }),
  shows: 'content',
  environment: desktopEnvironment,
  leaves: 'closes stdin',
};

/** Cursor of 2025, whose capabilities were booleans that no revision knows. */
export const oldCursor: Persona = {
  ...cursor,
  name: 'Cursor of 2025',
  revision: '2024-11-05',
  opening: [
    [
      {
        method: 'initialize',
        params: {
          protocolVersion: '2024-11-05',
          capabilities: {
            tools: true,
            prompts: false,
            resources: true,
            logging: false,
            roots: { listChanged: false },
          },
          clientInfo: { name: 'cursor-vscode', version: '1.0.0' },
        },
        jsonrpc: '2.0',
        id: 0,
      },
    ],
    ...cursor.opening.slice(1),
  ],
};

/**
 * VS Code 1.140. It counts from 1, sets the log level before it says that it is initialized, and tells of itself in each
 * call. Source: rust-sdk#704, vscode#291432, github/copilot-cli#432.
 */
export const vsCode: Persona = {
  name: 'VS Code',
  revision: '2025-11-25',
  opening: [
    [
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: {
            roots: { listChanged: true },
            sampling: {},
            elicitation: { form: {}, url: {} },
            tasks: {
              list: {},
              cancel: {},
              requests: { sampling: { createMessage: {} }, elicitation: { create: {} } },
            },
            extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html;profile=mcp-app'] } },
          },
          clientInfo: { name: 'Visual Studio Code', version: '1.140.0' },
        },
      },
    ],
    [
      { jsonrpc: '2.0', id: 2, method: 'logging/setLevel', params: { level: 'info' } },
      { method: 'notifications/initialized', jsonrpc: '2.0' },
    ],
    [{ jsonrpc: '2.0', id: 3, method: 'tools/list', params: {} }],
  ],
  call: (name, args, count) => ({
    jsonrpc: '2.0',
    id: 4 + count,
    method: 'tools/call',
    params: {
      name,
      arguments: args,
      _meta: {
        progressToken: randomUUID(),
        'vscode.conversationId': randomUUID(),
        'vscode.requestId': randomUUID(),
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      },
    },
  }),
  cancel: (requestId) => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }),
  shows: 'content',
  environment: { ...desktopEnvironment, VSCODE_PID: '4711' },
  leaves: 'SIGTERM',
};

/** Codex 0.158: its first progress token is 0, which is no token to who asks whether there is one in the wrong way. */
export const codex: Persona = {
  name: 'Codex',
  revision: '2025-06-18',
  opening: [
    [
      {
        jsonrpc: '2.0',
        id: 0,
        method: 'initialize',
        params: {
          protocolVersion: '2025-06-18',
          capabilities: {
            experimental: { 'codex/auth-change': {} },
            elicitation: { form: {}, url: {} },
          },
          clientInfo: { name: 'codex-mcp-client', title: 'Codex', version: '0.158.0' },
        },
      },
    ],
    [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: { progressToken: 0 } } },
    ],
  ],
  call: (name, args, count) => ({
    jsonrpc: '2.0',
    id: 2 + count,
    method: 'tools/call',
    params: {
      name,
      arguments: args,
      _meta: { progressToken: count, threadId: randomUUID(), 'x-codex-turn-metadata': { model: 'gpt' } },
    },
  }),
  cancel: (requestId) => ({
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: { requestId, reason: 'timeout' },
  }),
  shows: 'structuredContent',
  // An allow-list; nothing that would tell of a shell.
  environment: { PATH: '/usr/bin:/bin', SHELL: '/bin/sh', HOME: '/does/not/exist' },
  leaves: 'closes stdin',
};
