import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { headersOf, type Message, messagesIn, request } from '../mcp/request.ts';
import { version } from '../version.ts';

/** Answers one message over HTTP or in process: both are shaped like fetch. */
export type Post = (init: {
  headers: Record<string, string>;
  body: string;
  signal?: AbortSignal;
}) => Promise<Response>;

/** An agent answers this in milliseconds; what else may listen there need not answer at all. */
const discoverMs = 2000;
const notAMessage = 'a line of stdin is not a JSON-RPC message; each message must be on one line';

/**
 * Answers requests that come as lines on stdin, in order, until `requests` with an id are answered or stdin ends.
 * Lines are passed on as they are, so an agent that listens in the same pod answers as it would over HTTP.
 */
export async function oneshot(
  stdin: Readable,
  write: (line: string) => void,
  requests: number,
  post: Post,
): Promise<void> {
  let answered = 0;
  for await (const line of createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    const message = parse(line);
    if (message === undefined) {
      write(`${JSON.stringify(failure(null, -32_700, notAMessage))}\n`);
      continue;
    }
    for (const reply of await replies(message, line, post)) write(`${JSON.stringify(reply)}\n`);
    if (isRequest(message) && ++answered === requests) return;
  }
}

/** True when an agent of ours listens there: then it is asked, and the driver is not started a second time. */
export async function agentListens(post: Post): Promise<boolean> {
  const discover = request('server/discover', {}, { version });
  try {
    const signal = AbortSignal.timeout(discoverMs);
    const response = await post({ headers: headersOf(discover), body: JSON.stringify(discover), signal });
    const [reply] = messagesIn(response.headers.get('content-type'), await response.text());
    return JSON.stringify(reply).includes('"k8s-gpu-mcp-agent"');
  } catch {
    return false;
  }
}

/** A request is always answered: with an error if the agent that was asked is gone, or refuses. */
async function replies(message: Message, line: string, post: Post): Promise<unknown[]> {
  let reason = 'no answer from the agent';
  try {
    const response = await post({ headers: headersOf(message), body: line });
    reason = `HTTP ${response.status} from the agent`;
    const body = await response.text();
    if (!isRequest(message)) return [];
    const own = { id: message.id };
    return messagesIn(response.headers.get('content-type'), body).map((reply) =>
      isUnaddressed(reply) ? { ...reply, ...own } : reply,
    );
  } catch {
    return isRequest(message) ? [failure(message.id, -32_603, reason)] : [];
  }
}

/** Refused before it was read whose it is: by the guard of the HTTP endpoint. */
function isUnaddressed(reply: unknown): reply is object {
  return typeof reply === 'object' && reply !== null && 'id' in reply && reply.id === null;
}

function isRequest({ id, method }: Message): boolean {
  return method !== undefined && id !== undefined && id !== null;
}

function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function failure(id: unknown, code: number, message: string): object {
  return { jsonrpc: '2.0', id, error: { code, message } };
}
