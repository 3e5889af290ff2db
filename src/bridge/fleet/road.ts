import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity } from 'node:tls';

import { Client, type Dispatcher } from 'undici';

import { Fault } from '../../core/fault.ts';

/** What came back over HTTP. */
export interface Reply {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: string;
}

/** The way to one agent: at most one stream, opened on use, kept for the next request. */
export interface Road {
  /** True while a stream is open that has carried an answer: a request needs no dial, and may expect one soon. */
  open(): boolean;
  /** How often a request that failed may be sent again. */
  readonly retries: number;
  /**
   * Sends one request and waits for the whole answer. Aborting it closes the stream; requests that wait behind it go on
   * over a new one.
   *
   * @throws what broke: a Fault from the dial, an error of undici, or the signal's reason
   */
  post(headers: Readonly<Record<string, string>>, body: string, signal: AbortSignal): Promise<Reply>;
  /** Closes the stream; what is in progress breaks, the next request opens a new one. */
  close(): void;
}

/** Opens the byte stream that a road's HTTP runs over. Undefined where undici is to connect by itself. */
export type Dial = () => Promise<Duplex>;

/** Shorter than the agent's 120 s: a stream must not be reused at the moment at which the agent closes it. */
const keepAliveMs = 110_000;
/** Far above an answer with 16 GPUs (20 KB); a node cannot make the bridge hold more. */
const maxBodyBytes = 16 * 1024 * 1024;

/** Where a road leads to. */
interface Destination {
  readonly origin: URL;
  readonly serverName?: string | undefined;
  readonly loopbackOnly?: boolean;
}

export function road({ origin, serverName, loopbackOnly }: Destination, dial?: Dial): Road {
  let client: Client | undefined;
  let connected: Client | undefined;
  let proven = false;
  let waiting = 0;
  const create = () => {
    const created = new Client(origin.origin, {
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      headersTimeout: 0, // who calls sets the deadline, by the signal
      bodyTimeout: 0,
      connect: dial ? dialled(dial) : named(serverName),
    });
    created.on('connect', () => {
      connected = created;
      proven = false;
    });
    created.on('disconnect', () => {
      if (connected === created) connected = undefined;
    });
    return created;
  };
  const close = () => {
    void client?.destroy().catch(() => undefined);
    client = undefined;
    connected = undefined;
  };
  const path = `${origin.pathname === '/' ? '/mcp' : origin.pathname}${origin.search}`;
  return {
    retries: 4,
    open: () => connected !== undefined && proven,
    async post(headers, body, signal) {
      client ??= create();
      waiting += 1;
      try {
        const reply = await replyOf(await client.request({ method: 'POST', path, headers, body, signal }));
        proven = true;
        return reply;
      } catch (thrown) {
        if (signal.aborted && waiting === 1) close(); // else undici opens a new stream at once, which nobody waits for
        throw loopbackOnly ? notExposed(thrown) : thrown;
      } finally {
        waiting -= 1;
      }
    },
    close,
  };
}

/** TLS can ask for a name only, not for an address (RFC 6066): that is not sent, and checked all the same. */
function named(serverName: string | undefined): ConnectOptions {
  if (serverName === undefined || isIP(serverName) === 0) return { servername: serverName };
  return { checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate) };
}

/** No stream and nothing warm: each request is a program started on the node, so that it is tried again only twice. */
export function execRoad(exec: (line: string, signal: AbortSignal) => Promise<string>): Road {
  return {
    retries: 2,
    open: () => false,
    post: async (_headers, body, signal) => ({
      status: 200,
      contentType: 'application/json',
      body: await exec(body, signal),
    }),
    close: () => undefined,
  };
}

function notExposed(thrown: unknown): unknown {
  const { code, message } = Object(thrown) as NodeJS.ErrnoException;
  if (code !== 'ECONNREFUSED') return thrown;
  return new Fault(message, { code: 'AGENT_NOT_EXPOSED', cause: thrown });
}

type Connect = Extract<ConstructorParameters<typeof Client>[1], object>['connect'];
type ConnectOptions = Extract<Connect, object>;

function dialled(dial: Dial): NonNullable<Connect> {
  return (_options, callback) => {
    dial().then(
      (stream) => callback(null, stream as never), // a Duplex does for all that undici asks of a socket
      (error) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

async function replyOf({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Reply> {
  const contentType = headers['content-type'];
  return {
    status: statusCode,
    contentType: typeof contentType === 'string' ? contentType : null,
    body: await bounded(body),
  };
}

async function bounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes)
      throw new Fault(`an answer of more than ${maxBodyBytes} bytes`, { code: 'NODE_BAD_ANSWER' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
