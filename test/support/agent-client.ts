import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Http1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { TestContext } from 'vitest';

/** What a tool answers, as far as tests look at it. */
export interface ToolAnswer {
  readonly isError?: boolean;
  readonly content: readonly { readonly text?: string }[];
  readonly structuredContent?: NodeAnswer;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

export interface NodeAnswer {
  readonly simulated: boolean;
  readonly driver: {
    readonly state: string;
    readonly driverVersion: string | null;
    readonly problem: { readonly code: string; readonly message: string; readonly hint: string } | null;
  };
  readonly gpus: readonly GpuAnswer[];
}

/** A GPU in either tool's answer: an inventory has the readings, health the verdict. */
export interface GpuAnswer {
  readonly index: number;
  readonly ageMs: number | null;
  readonly uuid: string | null;
  readonly pciAddress: string | null;
  readonly temperatureC: number | null;
  readonly trouble: { readonly kind: string; readonly forMs: number } | null;
  readonly missing: Readonly<Record<string, string>>;
  readonly verdict: string;
  readonly action: string;
  readonly findings: readonly { readonly verdict: string; readonly text: string }[];
  readonly unchecked: readonly string[];
}

const revision = '2026-07-28';

/** A whole request of MCP 2026-07-28, written out here and not by the code that is tested. */
export function modernRequest(method: string, params: Record<string, unknown> = {}, meta: object = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    ...meta,
  };
  const name = params['name'];
  return {
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } },
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': revision,
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    } as Record<string, string>,
  };
}

export function toolRequest(name: string, args: object = {}, meta: object = {}) {
  return modernRequest('tools/call', { name, arguments: args }, meta);
}

export function post(
  url: string,
  { body, headers }: { body: unknown; headers: Record<string, string> },
  more: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
}

/** Calls a tool by one plain POST, as the bridge does. */
export async function callTool(
  url: string,
  tool: string,
  args: object = {},
  { meta = {}, headers = {} }: { meta?: object; headers?: Record<string, string> } = {},
): Promise<ToolAnswer> {
  const response = await post(url, toolRequest(tool, args, meta), headers);
  const { result, error } = (await response.json()) as { result?: ToolAnswer; error?: { message: string } };
  if (!result) throw new Error(`HTTP ${response.status}: ${error?.message}`);
  return result;
}

/** What a tool answers in data. */
export async function dataOf(url: string, tool: string, args: object = {}): Promise<NodeAnswer> {
  const { structuredContent, content } = await callTool(url, tool, args, {
    meta: { 'k8s-gpu-mcp/structured': true },
  });
  if (!structuredContent) throw new Error(`no data: ${content[0]?.text}`);
  return structuredContent;
}

/** Of each GPU why there are gaps in its timeline. */
export async function gapsOf(url: string, args: object = {}): Promise<string[][]> {
  const { gpus } = await dataOf(url, 'get_gpu_timeline', args);
  return (gpus as unknown as { gaps: { why: string }[] }[]).map(({ gaps }) => gaps.map(({ why }) => why));
}

export function inventoryOf(url: string): Promise<NodeAnswer> {
  return dataOf(url, 'get_gpu_inventory');
}

export function healthOf(url: string): Promise<NodeAnswer> {
  return dataOf(url, 'get_gpu_health');
}

export async function textOf(url: string, tool: string, args: object = {}): Promise<string> {
  const { content } = await callTool(url, tool, args);
  return content[0]?.text ?? '';
}

/** The hosts of both eras: SDK 2 as of 2025 and of 2026, and SDK 1. */
export const clients = ['SDK 2 in 2026-07-28', 'SDK 2 in 2025-11-25', 'SDK 1'] as const;

export function clientOf(kind: (typeof clients)[number]): Client {
  const info = { name: 'test', version: '1' };
  if (kind === 'SDK 1') return new Client1(info) as unknown as Client; // alike in all that is used here
  const mode = kind === 'SDK 2 in 2025-11-25' ? 'legacy' : { pin: revision };
  return new Client(info, { versionNegotiation: { mode } });
}

export async function connect(
  test: TestContext,
  kind: (typeof clients)[number],
  url: string,
): Promise<Client> {
  const client = clientOf(kind);
  const transport =
    kind === 'SDK 1'
      ? (new Http1(new URL(url)) as unknown as StreamableHTTPClientTransport)
      : new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  test.onTestFinished(() => client.close());
  return client;
}
