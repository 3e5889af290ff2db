import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Longer than a run needs: an agent of the fleet is asked a few times in all. */
const freshMs = 5000;

/** Takes a request away, to misbehave with it; false leaves it. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Recorded {
  readonly status: number;
  readonly contentType: string;
  /** Around the id of the question. */
  readonly head: string;
  readonly tail: string;
  readonly atMs: number;
}

/**
 * Answers as the agent behind it did a moment ago. A fleet's agents have machines of their own; here, a hundred that work
 * out each answer would take most of the two cores, and what is measured is the bridge.
 *
 * @returns the port it listens on
 */
export async function replaying(agentPort: number, intercept: Intercept): Promise<number> {
  const recorded = new Map<string, Recorded>();
  const server = createServer((request, response) => {
    if (!intercept(request, response)) void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    const { id, method, params } = JSON.parse(body);
    const question = JSON.stringify([method, params.name, params.arguments]);
    let answer = recorded.get(question);
    if (!answer || performance.now() - answer.atMs > freshMs) {
      answer = await record(agentPort, request, body, id);
      recorded.set(question, answer);
    }
    const { status, contentType, head, tail } = answer;
    const text = head + JSON.stringify(id) + tail;
    response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(text) });
    response.end(text);
  }

  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** The whole exchange with the agent; its answer is cut where the id of the question stands in it. */
async function record(
  port: number,
  { headers, url: path }: IncomingMessage,
  body: string,
  id: unknown,
): Promise<Recorded> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers }, resolve);
    asked.on('error', reject).end(body);
  });
  const text = await textOf(response);
  const mark = `"id":${JSON.stringify(id)}`;
  const at = text.lastIndexOf(mark);
  if (response.statusCode !== 200 || at < 0)
    throw new Error(`the agent answered ${response.statusCode}: ${text}`);
  const start = at + '"id":'.length;
  return {
    status: 200,
    contentType: response.headers['content-type'] ?? 'application/json',
    head: text.slice(0, start),
    tail: text.slice(at + mark.length),
    atMs: performance.now(),
  };
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
