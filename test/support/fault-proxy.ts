import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import type { Fetch } from '../../src/server/http.ts';

/** One request that has reached the node, and the answer that its agent would give. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly body: string;
  readonly response: ServerResponse;
  readonly agent: Fetch;
}

/** What becomes of an exchange. */
export type Behaviour = (exchange: Exchange) => unknown;

export interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The caller has hung up before the answer was out. */
  readonly abandoned: () => boolean;
}

/** A node that misbehaves on request: a real listener in front of a real agent. */
export interface FaultProxy {
  readonly origin: URL;
  /** What becomes of each request from now on. */
  behave(behaviour: Behaviour): void;
  /** What becomes of the next requests, one each; then all goes on as before. */
  next(...behaviours: readonly Behaviour[]): void;
  readonly received: readonly Received[];
  /** Streams ever accepted, and those open now. */
  readonly accepted: () => number;
  readonly open: () => number;
  /** Nothing listens any more; open streams are cut. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
}

export async function startFaultProxy(agent: Fetch): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const received: Received[] = [];
  let usual: Behaviour = passOn;
  let queue: readonly Behaviour[] = [];
  let accepted = 0;
  const server = createServer((request, response) => void handle(request, response));
  server.on('connection', (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let abandoned = false;
    response.on('close', () => {
      abandoned = !response.writableFinished;
    });
    const body = await textOf(request);
    received.push({ headers: request.headers, body, abandoned: () => abandoned });
    const [own, ...later] = queue;
    queue = later;
    await (own ?? usual)({ request, body, response, agent });
  }

  const port = await listen(server, 0);
  return {
    origin: new URL(`http://127.0.0.1:${port}`),
    behave: (behaviour) => {
      usual = behaviour;
    },
    next: (...behaviours) => {
      queue = behaviours;
    },
    received,
    accepted: () => accepted,
    open: () => sockets.size,
    down: () => close(server, sockets),
    up: async () => void (await listen(server, port)),
  };
}

export const passOn: Behaviour = async ({ request, body, response, agent }) => {
  const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const answer = await agent(
    new Request(`http://localhost${request.url}`, { method: 'POST', headers, body }),
  );
  send(response, answer.status, Object.fromEntries(answer.headers), await answer.text());
};

/** An answer of one's own making. */
export function answering(status: number, body: string, headers: Record<string, string> = {}): Behaviour {
  return ({ response }) => send(response, status, { 'content-type': 'application/json', ...headers }, body);
}

/** A result of `tools/call` as an agent would send it, of one's own making. */
export function resulting(result: object): Behaviour {
  return (exchange) => {
    const { id } = JSON.parse(exchange.body) as { id: string };
    const body = { resultType: 'complete', ...result };
    answering(200, JSON.stringify({ jsonrpc: '2.0', id, result: body }))(exchange);
  };
}

export const faults = {
  reset: ({ request }: Exchange) => request.socket.resetAndDestroy(),
  blackHole: () => undefined,
  slowLoris: ({ response }: Exchange) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(drip));
  },
  halfClose: ({ request }: Exchange) => request.socket.end(),
  truncated: ({ request, response }: Exchange) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 5000 });
    response.write('{"jsonrpc":"2.0","result":{"struct', () => request.socket.end());
  },
  error500: answering(500, '{"error":{"message":"out of order"}}'),
  unauthorized: answering(401, '{"error":{"message":"A bearer token is needed"}}'),
  busy: answering(429, '{"error":{"message":"32 requests are being answered already."}}', {
    'retry-after': '1',
  }),
  garbage: answering(200, '<html><body>Welcome to the captive portal</body></html>'),
  notFound: answering(404, 'page not found', { 'content-type': 'text/plain' }),
  /** Answers, and then hangs up although it promised to keep the stream. */
  idleClose: async (exchange: Exchange) => {
    await passOn(exchange);
    exchange.request.socket.end();
  },
} satisfies Record<string, Behaviour>;

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise((resolve) => void server.close(resolve));
  for (const socket of sockets) socket.destroy();
  await closed;
}
