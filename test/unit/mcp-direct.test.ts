import { expect, test } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { headersOf, type Message, request } from '../../src/mcp/request.ts';
import { requestIdMeta, structuredMeta } from '../../src/mcp/tools.ts';
import { agentHandler, agentServer, statelessHandler } from '../../src/server/mcp.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { contextOf } from '../support/answers.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const node = contextOf(snapshot([gpu(0), gpu(1)]));
const log = createLog('error', () => undefined);
const metrics = agentMetrics(() => node);
const agent = { node: 'a', context: () => node, inquire: async () => undefined, log, metrics };
const serverInfo = { name: 'nobody', version: '0' };
const maxRequestBodySize = 65_536;
const ours = agentHandler(agent, maxRequestBodySize);
/** The same server, with nothing that may be answered without the SDK. */
const sdk = statelessHandler(() => agentServer(agent), {
  maxRequestBodySize,
  direct: { serverInfo, names: new Set(), call: () => Promise.reject(new Error('not to be called')) },
  log,
});

type Handler = typeof ours;
type Post = Readonly<{ body: object; headers: Readonly<Record<string, string>> }>;

function call(name: string, args?: object, meta: Record<string, unknown> = {}): Post {
  const params = { name, ...(args && { arguments: args }) };
  const body = request('tools/call', params, { version: '1', meta });
  return { body, headers: headersOf(body) };
}

async function answerOf(handler: Handler, { body, headers }: Post) {
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const length = { 'content-length': String(Buffer.byteLength(init.body)), host: 'localhost' };
  const response = await handler.fetch(
    new Request('http://localhost/mcp', { ...init, headers: { ...headers, ...length } }),
  );
  const text = (await response.text()).replace(/("k8s-gpu-mcp\/toolMs":)[\d.]+/, '$1 0');
  return { status: response.status, type: response.headers.get('content-type'), text };
}

const structured = { [structuredMeta]: true, [requestIdMeta]: 'a9f15c00' };
const health = call('get_gpu_health', { detail: 'full' }, structured);

test.for<[string, Post]>([
  ['a call of the bridge', health],
  ['an answer in words', call('get_gpu_inventory', {})],
  ['a call without arguments', call('get_gpu_inventory')],
  ['arguments that are refused', call('get_gpu_health', { nodez: 1, limit: 0 }, structured)],
  ['a GPU that is not there', call('get_gpu_health', { gpu: 9 }, structured)],
  ['a number for an id', { ...health, body: { ...health.body, id: 0 } }],
])('%s is answered as the SDK answers it, to the byte', async ([, post]) => {
  expect(await answerOf(ours, post)).toEqual(await answerOf(sdk, post));
});

test('a call of the bridge is answered without the SDK', async () => {
  const serverInfo = { name: 'a', version: '1' };
  const names = new Set(['get_gpu_health']);
  const withoutSdk = statelessHandler(() => Promise.reject(new Error('not to be made')) as never, {
    maxRequestBodySize,
    direct: { serverInfo, names, call: async () => ({ content: [] }) },
    log,
  });

  expect(await answerOf(withoutSdk, health)).toMatchObject({ status: 200 });
  expect(await answerOf(withoutSdk, call('get_gpu_inventory'))).toMatchObject({ status: 500 });
});

const { params = {} } = health.body as Message;
const changed = (body: object, headers: Record<string, string> = {}): Post => ({
  body: { ...health.body, ...body },
  headers: { ...health.headers, ...headers },
});
const withMeta = (meta: object) => changed({ params: { ...params, _meta: { ...params._meta, ...meta } } });

test.for<[string, Post]>([
  ['a tool that is not there', call('get_gpu_heath', {})],
  ['another version in the body', withMeta({ 'io.modelcontextprotocol/protocolVersion': '2027-01-01' })],
  ['no capabilities', withMeta({ 'io.modelcontextprotocol/clientCapabilities': undefined })],
  ['a log level that does not exist', withMeta({ 'io.modelcontextprotocol/logLevel': 'loud' })],
  ['a progress token that is none', withMeta({ progressToken: {} })],
  ['another version in the header', changed({}, { 'mcp-protocol-version': '2025-11-25' })],
  ['another method in the header', changed({}, { 'mcp-method': 'tools/list' })],
  ['another name in the header', changed({}, { 'mcp-name': 'get_gpu_inventory' })],
  ['no word of what is accepted', changed({}, { accept: 'text/html' })],
  ['a body of another type', changed({}, { 'content-type': 'text/plain' })],
  ['no version of JSON-RPC', changed({ jsonrpc: '1.0' })],
  ['an id that is none', changed({ id: null })],
  ['arguments that are a list', changed({ params: { ...params, arguments: [] } })],
  ['a batch', { ...health, body: [health.body] }],
])('%s is left to the SDK', async ([, post]) => {
  expect(await answerOf(ours, post)).toEqual(await answerOf(sdk, post));
});

test('an answer that something is wrong tells the clocks of the node, too', async () => {
  const { text } = await answerOf(ours, call('get_gpu_health', { gpu: 9 }));

  expect(JSON.parse(text).result).toMatchObject({
    isError: true,
    _meta: { 'k8s-gpu-mcp/code': 'GPU_NOT_FOUND', 'k8s-gpu-mcp/clock': node.clock },
  });
});
