import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Fault } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';
import type { Access, Login } from './access.ts';
import { faultOfError, faultOfStatus, type Question } from './trouble.ts';

/**
 * Reading from the API server. By node:http and the agent that the library's kubeconfig sets up, because the
 * library's own Watch gives up after 30 s of silence, and its requests open an undici agent each, whose sockets
 * cannot be unref'd, and turn every object into a class.
 */
export interface Api {
  /** Its URL, for messages. */
  server(): string;
  /** The JSON answer. @throws Fault CLUSTER_…, or the signal's reason */
  get(path: string, question: Question, signal: AbortSignal): Promise<unknown>;
  /**
   * A watch: calls `onEvent` for each object that arrives, and resolves when the server ends it. An open watch does
   * not keep the process alive.
   *
   * @throws Fault CLUSTER_…, or the signal's reason
   */
  watch(path: string, question: Question, options: WatchOptions): Promise<void>;
}

export interface WatchOptions {
  readonly onEvent: (event: unknown) => void;
  readonly signal: AbortSignal;
}

const mostErrorBytes = 64 * 1024;

export function openApi(access: Access): Api {
  return {
    server: () => access.server(),
    get: (path, question, signal) =>
      withLogin(access, signal, async (login) => {
        const headers = { accept: 'application/json', 'accept-encoding': 'gzip' };
        const response = await send(login, path, { question, headers, signal });
        return parse(await text(response, login, signal), login);
      }),
    watch: (path, question, { onEvent, signal }) =>
      withLogin(access, signal, async (login) => {
        const headers = { accept: 'application/json' };
        const response = await send(login, path, { question, headers, signal });
        response.socket.setKeepAlive(true, 30_000);
        response.socket.unref();
        await eachLine(response, login, { onEvent, signal });
      }),
  };
}

/** Logs in again, once, where the server refuses a login that was good before. */
export async function withLogin<T>(
  access: Access,
  signal: AbortSignal,
  use: (login: Login) => Promise<T>,
): Promise<T> {
  const login = await access.login(signal);
  try {
    return await use(login);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== 'CLUSTER_UNAUTHORIZED') throw thrown;
    access.refused(login);
    return use(await access.login(signal));
  }
}

interface Sending {
  readonly question: Question;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
}

async function send(
  login: Login,
  path: string,
  { question, headers, signal }: Sending,
): Promise<IncomingMessage> {
  const url = new URL(login.baseUrl + path);
  const request = url.protocol === 'http:' ? requestPlain : requestSecure;
  const options = { ...login.options, signal, headers: { ...login.options.headers, ...headers } };
  const sent = new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options).once('response', resolve).on('error', reject).end();
  });
  const response = await sent.catch((thrown: unknown) => {
    throw reasonFor(thrown, login, signal);
  });
  if (response.statusCode === 200) return response;
  const body = await text(response, login, signal, mostErrorBytes);
  throw faultOfStatus(response.statusCode ?? 0, body, question, login);
}

/** That the caller left is no trouble with the cluster; that its time is up may well be. */
function reasonFor(thrown: unknown, login: Login, { aborted, reason }: AbortSignal): unknown {
  if (aborted) return isTimeout(reason) ? faultOfError(reason, login) : reason;
  return faultOfError(thrown, login);
}

async function text(
  response: IncomingMessage,
  login: Login,
  signal: AbortSignal,
  most = Number.POSITIVE_INFINITY,
): Promise<string> {
  const zipped = response.headers['content-encoding'] === 'gzip';
  const body: Readable = zipped ? response.pipe(createGunzip()) : response;
  if (zipped) response.on('error', (error) => body.destroy(error));
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > most) break;
    }
  } catch (thrown) {
    throw reasonFor(thrown, login, signal);
  }
  return Buffer.concat(chunks).toString();
}

function parse(body: string, { server }: Login): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new Fault(`${server} answered something else than JSON: it may be no API server, or a login page`, {
      code: 'CLUSTER_UNREACHABLE',
      cause,
    });
  }
}

async function eachLine(
  response: IncomingMessage,
  login: Login,
  { onEvent, signal }: WatchOptions,
): Promise<void> {
  response.setEncoding('utf8');
  let rest: string[] = [];
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const [first = '', ...lines] = chunk.split('\n');
      rest.push(first);
      for (const line of lines) {
        const whole = rest.join('');
        rest = [line];
        if (whole !== '') onEvent(parse(whole, login));
      }
    }
  } catch (thrown) {
    throw reasonFor(thrown, login, signal);
  }
}
