import { randomUUID } from 'node:crypto';

/** The MCP revision that our own programs speak to each other: stateless, one POST per call. */
export const protocolVersion = '2026-07-28';

export const versionMeta = 'io.modelcontextprotocol/protocolVersion';
export const clientMeta = 'io.modelcontextprotocol/clientInfo';
export const capabilitiesMeta = 'io.modelcontextprotocol/clientCapabilities';

export interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly uri?: string;
    readonly _meta?: Record<string, unknown>;
  };
}

/** A whole request of the 2026 revision: method, parameters and the metadata that replaces the handshake. */
export function request(
  method: string,
  params: Record<string, unknown>,
  { version, meta = {} }: { version: string; meta?: Record<string, unknown> },
): Message {
  const _meta = {
    [versionMeta]: protocolVersion,
    [clientMeta]: { name: 'k8s-gpu-mcp', version },
    [capabilitiesMeta]: {},
    ...meta,
  };
  return { jsonrpc: '2.0', id: randomUUID(), method, params: { ...params, _meta } } as Message;
}

/** The headers under which a message travels over HTTP; of an older revision they are fewer. */
export function headersOf({ method, params }: Message): Record<string, string> {
  const revision = params?._meta?.[versionMeta];
  const name = params?.name ?? params?.uri;
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(typeof revision === 'string' && {
      'mcp-protocol-version': revision,
      'mcp-method': method ?? '',
      ...(name !== undefined && { 'mcp-name': headerValue(String(name)) }),
    }),
  };
}

/** As the specification encodes what a header cannot carry as it is: other than ASCII, blank ends, or what looks encoded. */
function headerValue(text: string): string {
  const plain = /^[!-~](?:[ -~]*[!-~])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text);
  return plain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}

/** The JSON-RPC messages in the body of an HTTP answer: one JSON document, or a stream of server-sent events. */
export function messagesIn(contentType: string | null, body: string): unknown[] {
  if (body === '') return [];
  if (!contentType?.startsWith('text/event-stream')) return [JSON.parse(body)];
  return body.split(/\r?\n\r?\n/).flatMap((event) => {
    const data = event
      .split(/\r?\n/)
      .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []));
    return data.length > 0 && data.join('') !== '' ? [JSON.parse(data.join('\n'))] : [];
  });
}
