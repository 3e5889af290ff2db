import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { headersOf, type Message, messagesIn, request } from '../mcp/request.ts';
import { version } from '../version.ts';

/** Answers one message over HTTP or in process: both are shaped like fetch. */
export type Post = (init: { headers: Record<string, string>; body: string }) => Promise<Response>;

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
      write(errorLine(null, -32_700, 'a line of stdin is not JSON'));
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
    const response = await post({ headers: headersOf(discover), body: JSON.stringify(discover) });
    const [reply] = messagesIn(response.headers.get('content-type'), await response.text());
    return JSON.stringify(reply).includes('"k8s-gpu-mcp-agent"');
  } catch {
    return false;
  }
}

async function replies(message: Message, line: string, post: Post): Promise<unknown[]> {
  const response = await post({ headers: headersOf(message), body: line });
  const body = await response.text();
  try {
    return isRequest(message) ? messagesIn(response.headers.get('content-type'), body) : [];
  } catch {
    return [JSON.parse(errorLine(message.id ?? null, -32_603, `HTTP ${response.status} from the agent`))];
  }
}

function isRequest({ id, method }: Message): boolean {
  return method !== undefined && id !== undefined && id !== null;
}

function parse(line: string): Message | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function errorLine(id: unknown, code: number, message: string): string {
  return `${JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })}\n`;
}
