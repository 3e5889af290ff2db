import { once } from 'node:events';
import { createServer } from 'node:net';

const given = new Set<number>();

/**
 * A loopback port that nobody listens on, another one each time: two that were asked for one after the other were the same
 * once. Below the range from which the kernel takes ports for outgoing connections (32768 and up on Linux): a client that
 * dials a port in that range while its server is stopped may end up connected to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (given.has(port)) continue;
    const server = createServer().listen(port, '127.0.0.1');
    const free = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]);
    if (!free) continue;
    given.add(port);
    server.close();
    await once(server, 'close');
    return port;
  }
}
