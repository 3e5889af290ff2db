import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'vitest';

import { type ListeningAgent, until } from './agent.ts';
import { toolRequest } from './agent-client.ts';

const { body, headers } = toolRequest('get_gpu_health');
const whole = JSON.stringify(body);

/** A call over a connection of our own: fetch does not let us lie about Host, nor send half a body and wait. */
export async function rawCall(
  test: TestContext,
  { port }: ListeningAgent,
  { host = 'localhost', bytes = whole.length }: { host?: string; bytes?: number } = {},
) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.on('error', () => undefined); // how the other side ends it is not what is tested
  test.onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const head = ['POST /mcp HTTP/1.1', `Host: ${host}`, `Content-Length: ${whole.length}`];
  const lines = [...head, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${whole.slice(0, bytes)}`);
  return {
    sendRest: () => socket.write(whole.slice(bytes)),
    hangUp: () => socket.destroy(),
    received: () => received,
    statusLine: () => until('there is an answer', () => /^HTTP\/1\.1 \d+/.exec(received)?.[0]),
  };
}

export async function callsInFlight(agent: ListeningAgent): Promise<number> {
  const text = await (await agent.health('/metrics')).text();
  return Number(/^k8s_gpu_mcp_calls_in_flight (\d+)$/m.exec(text)?.[1]);
}
