import { expect, test } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { agentHttp, type HttpOptions, loopbackHosts } from '../../src/server/http.ts';

/** An endpoint whose MCP side answers when it is told to. */
function endpoint(options: Partial<HttpOptions> = {}) {
  const waiting: (() => void)[] = [];
  const inFlight: number[] = [];
  const http = agentHttp({
    mcp: () => new Promise((resolve) => void waiting.push(() => resolve(new Response('answer')))),
    token: undefined,
    allowedHosts: loopbackHosts,
    maxInFlight: 2,
    responseMs: 60_000,
    log: createLog('error', () => undefined),
    metrics: {
      called: () => undefined,
      inFlight: (change) => void inFlight.push((inFlight.at(-1) ?? 0) + change),
      text: async () => '',
      contentType: '',
    },
    ...options,
  });
  const ask = (headers: Record<string, string> = {}, url = 'http://localhost:8080/mcp') =>
    http.fetch(new Request(url, { method: 'POST', headers: { host: new URL(url).host, ...headers } }));
  return { http, ask, waiting, inFlight };
}

async function settled(response: Promise<Response>): Promise<Response | undefined> {
  return Promise.race([response, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
}

test('more requests at once than allowed are refused, with a word on when to come again', async () => {
  const { ask, waiting, inFlight } = endpoint();
  const [first, second] = [ask(), ask()];

  const third = await settled(ask());
  expect(third?.status).toBe(429);
  expect(third?.headers.get('retry-after')).toBe('1');
  waiting[0]?.();
  expect(await (await first).text()).toBe('answer');
  const fourth = ask();
  for (const answer of waiting) answer();

  expect([(await second).status, (await fourth).status]).toEqual([200, 200]);
  expect(inFlight).toEqual([1, 2, 1, 2, 1, 0]);
});

test.for([
  ['http://evil.example/mcp', {}, 403],
  ['http://localhost.evil.example/mcp', {}, 403],
  ['http://127.0.0.1:1234/mcp', {}, 200],
  ['http://[::1]:1234/mcp', {}, 200],
  ['http://localhost/mcp', { origin: 'http://evil.example' }, 403],
  ['http://localhost/mcp', { origin: 'null' }, 403],
  ['http://localhost/mcp', { origin: 'http://localhost:3000' }, 200],
  ['http://localhost/', {}, 404],
  ['http://localhost/mcp/x', {}, 404],
] as const)('%s with %j is answered %i', async ([url, headers, status]) => {
  const { ask, waiting } = endpoint();

  const response = ask(headers, url);
  for (const answer of waiting) answer();

  expect((await response).status).toBe(status);
  expect(waiting).toHaveLength(status === 200 ? 1 : 0);
});

test.for([
  [undefined, 401],
  ['Bearer', 401],
  ['Bearer 0123456789abcdeF', 401],
  ['Bearer 0123456789abcdef0', 401],
  ['Basic 0123456789abcdef', 401],
  ['Bearer 0123456789abcdef', 200],
  ['bearer 0123456789abcdef', 200],
] as const)(
  'with a token, authorization %s is answered %i whatever the Host',
  async ([authorization, status]) => {
    const { ask, waiting } = endpoint({ token: () => '0123456789abcdef', allowedHosts: undefined });

    const response = ask(authorization ? { authorization } : {}, 'http://10.0.0.7:8080/mcp');
    for (const answer of waiting) answer();

    expect((await response).status).toBe(status);
    if (status === 401) expect((await response).headers.get('www-authenticate')).toBe('Bearer');
  },
);

test('a request of HTTP/1.0 without a Host was a 500 with our source in the log; it is told what it lacks', async () => {
  const { http, waiting } = endpoint();
  const headers = new Headers();

  const response = await http.fetch({ url: '/mcp', method: 'POST', headers } as Request);

  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining('Host header') } });
  expect(waiting).toEqual([]);
});

test('a web page does not come through with a token either', async () => {
  const { ask } = endpoint({ token: () => '0123456789abcdef', allowedHosts: undefined });

  const headers = { origin: 'http://evil.example', authorization: 'Bearer 0123456789abcdef' };

  expect((await ask(headers)).status).toBe(403);
});

test('a request that is never answered gives its place back', async () => {
  const { ask, inFlight } = endpoint({ responseMs: 20 });

  expect((await ask()).status).toBe(408);
  expect(inFlight).toEqual([1, 0]);
});

test('a failure of ours is a 500 without its text', async () => {
  const { ask } = endpoint({ mcp: async () => Promise.reject(new Error('secret')) });

  const response = await ask();

  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('secret');
});

test('draining waits for those in flight, and refuses new ones', async () => {
  const { http, ask, waiting } = endpoint();
  const inFlight = ask();
  let drained = false;

  const drain = http.drain().then(() => {
    drained = true;
  });
  expect((await ask()).status).toBe(503);
  expect(drained).toBe(false);
  waiting[0]?.();
  await drain;

  expect((await inFlight).status).toBe(200);
});
