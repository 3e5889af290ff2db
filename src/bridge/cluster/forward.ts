import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { Fault } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';
import type { Login } from './access.ts';
import { ForwardStream } from './forward-stream.ts';
import { fullName } from './metadata.ts';
import { faultOfError, faultOfStatus, statusMessage } from './trouble.ts';
import type { Agent } from './view.ts';

const protocol = 'v4.channel.k8s.io';
const mostErrorBytes = 64 * 1024;

/** What the API server says when the pod is no more. */
export class PodGone extends Fault {}

/**
 * Opens one port-forward to the agent's port.
 *
 * Ours and not the library's PortForward: that offers no stream, no back-pressure and no errors, and its retries
 * would send half a request twice.
 *
 * @throws Fault CLUSTER_…, NODE_UNREACHABLE (PodGone among them), NODE_TIMEOUT; the signal's reason
 */
export function forward(login: Login, agent: Agent, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const pod = { namespace: agent.namespace, name: agent.pod };
  const path = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/portforward?ports=${agent.port}`;
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(login.baseUrl.replace(/^http/, 'ws') + path, [protocol], {
      ...login.options,
      perMessageDeflate: false,
    });
    const abort = (): void => {
      settle();
      reject(isTimeout(signal.reason) ? late(pod, signal.reason) : signal.reason);
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
      refusal(response, { login, agent }).then(fail, fail);
      response.once('close', () => request.destroy());
    });
    webSocket.once('upgrade', ({ socket }: IncomingMessage) => {
      webSocket.once('open', () => {
        settle();
        resolve(new ForwardStream(webSocket, socket, fullName(pod)));
      });
    });
  });
}

function late(pod: { namespace: string; name: string }, cause: unknown): Fault {
  return new Fault(`the port-forward to pod ${fullName(pod)} did not open in time`, {
    code: 'NODE_TIMEOUT',
    cause,
  });
}

/** Why the API server, or the kubelet behind it, refuses the port-forward. */
async function refusal(
  response: IncomingMessage,
  { login, agent }: { login: Login; agent: Agent },
): Promise<Fault> {
  const { statusCode: status = 0 } = response;
  const body = await bodyOf(response);
  if (status === 401 || status === 403) {
    const question = { verb: 'create', resource: 'pods/portforward', namespace: agent.namespace };
    return faultOfStatus(status, body, question, login);
  }
  const said = statusMessage(body) ?? `HTTP ${status}`;
  if (status === 404)
    return new PodGone(`pod ${agent.namespace}/${agent.pod} is gone: ${said}`, { code: 'NODE_UNREACHABLE' });
  return new Fault(`port-forward to pod ${agent.namespace}/${agent.pod} was answered ${status}: ${said}`, {
    code: 'NODE_UNREACHABLE',
  });
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
