import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Something that listens on loopback where an agent should, and fails as a sick one does. */
export interface Listener {
  readonly port: number;
  /** How many connections it has been given. */
  connections(): number;
  close(): void;
}

/** Accepts, and never says a word: a node whose network swallows packets. */
export async function blackHole(): Promise<Listener> {
  return listening(createServer());
}

/** Nothing listens there: the port was free a moment ago. */
export async function refusing(): Promise<Listener> {
  const listener = await blackHole();
  listener.close();
  return listener;
}

/** Answers every request with status 500. */
export async function answering500(): Promise<Listener> {
  return listening(createHttpServer((_request, response) => response.writeHead(500).end('out of order')));
}

/** Promises 1000 bytes, sends a few, and closes. */
export async function truncating(): Promise<Listener> {
  return listening(
    createHttpServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"jsonrpc"');
      setTimeout(() => response.destroy(), 10);
    }),
  );
}

/** Answers, but only after 20 s: longer than anyone waits. */
export async function slow(): Promise<Listener> {
  return listening(
    createHttpServer((_request, response) => {
      setTimeout(() => response.end('{}'), 20_000).unref();
    }),
  );
}

async function listening(server: Server | HttpServer): Promise<Listener> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    connections: () => connections,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
