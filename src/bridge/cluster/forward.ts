import type { Duplex } from 'node:stream';
import type { Login } from './access.ts';
import { ForwardStream } from './forward-stream.ts';
import { fullName } from './metadata.ts';
import { openPodSocket } from './pod-socket.ts';
import type { Agent } from './view.ts';

/**
 * Opens one port-forward to the agent's port.
 *
 * Ours and not the library's PortForward: that offers no stream, no back-pressure and no errors, and its retries
 * would send half a request twice.
 *
 * @throws Fault CLUSTER_…, NODE_UNREACHABLE (PodGone among them), NODE_TIMEOUT; the signal's reason
 */
export function forward(login: Login, agent: Agent, signal: AbortSignal): Promise<Duplex> {
  const name = fullName({ namespace: agent.namespace, name: agent.pod });
  return openPodSocket<Duplex>(
    login,
    agent,
    {
      subresource: 'portforward',
      query: `ports=${agent.port}`,
      protocols: ['v4.channel.k8s.io'],
      what: 'port-forward',
      opened: (webSocket, socket) => new ForwardStream(webSocket, socket, name),
    },
    signal,
  );
}
