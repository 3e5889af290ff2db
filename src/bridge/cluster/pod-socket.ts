import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { Fault } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';
import type { Login } from './access.ts';
import { fullName } from './metadata.ts';
import { faultOfError, faultOfStatus, statusMessage } from './trouble.ts';
import type { Agent } from './view.ts';

const mostErrorBytes = 64 * 1024;

/** What the API server says when the pod is no more. */
export class PodGone extends Fault {}

/** What is asked of a pod. */
export interface Request<T> {
  readonly subresource: 'portforward' | 'exec';
  readonly query: string;
  /** `Sec-WebSocket-Protocol`, the best first. */
  readonly protocols: readonly string[];
  /** `port-forward`, for messages */
  readonly what: string;
  /** Called when it is open, before anything can have arrived: listen to it at once. */
  readonly opened: (webSocket: WebSocket, socket: Socket) => T;
}

/**
 * Opens a WebSocket to a subresource of the agent's pod.
 *
 * @throws Fault CLUSTER_…, NODE_UNREACHABLE (PodGone among them), NODE_TIMEOUT; the signal's reason
 */
export function openPodSocket<T>(
  login: Login,
  agent: Agent,
  { subresource, query, protocols, what, opened }: Request<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const asking = { login, agent, subresource, what };
  const path = `/api/v1/namespaces/${agent.namespace}/pods/${agent.pod}/${subresource}?${query}`;
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(login.baseUrl.replace(/^http/, 'ws') + path, [...protocols], {
      ...login.options,
      perMessageDeflate: false,
    });
    const abort = (): void => {
      settle();
      reject(isTimeout(signal.reason) ? late(asking, signal.reason) : signal.reason);
      webSocket.terminate();
    };
    const fail = (error: unknown): void => {
      settle();
      reject(signal.aborted ? signal.reason : faultOfError(error, login));
    };
    const settle = (): void => {
      signal.removeEventListener('abort', abort);
      webSocket.off('error', fail);
      webSocket.on('error', () => {}); // ws tells of a handshake that was broken off
    };
    signal.addEventListener('abort', abort, { once: true });
    webSocket.once('error', fail);
    webSocket.once('unexpected-response', (request, response: IncomingMessage) => {
      refusal(response, asking).then(fail, fail);
      response.once('close', () => request.destroy());
    });
    webSocket.once('upgrade', ({ socket }: IncomingMessage) => {
      webSocket.once('open', () => {
        settle();
        resolve(opened(webSocket, socket));
      });
    });
  });
}

interface Asking {
  readonly login: Login;
  readonly agent: Agent;
  readonly subresource: string;
  readonly what: string;
}

function nameOf({ namespace, pod }: Agent): string {
  return fullName({ namespace, name: pod });
}

function late({ agent, what }: Asking, cause: unknown): Fault {
  const message = `the ${what} to pod ${nameOf(agent)} did not open in time`;
  return new Fault(message, { code: 'NODE_TIMEOUT', cause });
}

/** Why the API server, or the kubelet behind it, refuses. */
async function refusal(
  response: IncomingMessage,
  { login, agent, subresource, what }: Asking,
): Promise<Fault> {
  const { statusCode: status = 0 } = response;
  const body = await bodyOf(response);
  if (status === 401 || status === 403) {
    const question = { verb: 'create', resource: `pods/${subresource}`, namespace: agent.namespace };
    return faultOfStatus(status, body, question, login);
  }
  const said = statusMessage(body) ?? `HTTP ${status}`;
  const code = 'NODE_UNREACHABLE';
  if (status === 404) return new PodGone(`pod ${nameOf(agent)} is gone: ${said}`, { code });
  return new Fault(`${what} to pod ${nameOf(agent)} was answered ${status}: ${said}`, { code });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    body += chunk;
    if (body.length > mostErrorBytes) break;
  }
  return body;
}
