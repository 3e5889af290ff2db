import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Server } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { statusBody } from './status.ts';

interface PortForwardOptions {
  readonly autoPong: boolean;
  readonly targets: Readonly<Record<string, number>>;
  readonly refuse: (
    request: IncomingMessage,
    pod: string,
    namespace: string,
  ) => [number, string] | 'swallow' | null;
}

/** Port-forwards over websockets as the kubelet does them: v4.channel.k8s.io, one port, channels 0 and 1. */
export function portForward(server: Server, { autoPong, targets, refuse }: PortForwardOptions): void {
  const webSockets = new WebSocketServer({
    noServer: true,
    autoPong,
    handleProtocols: () => 'v4.channel.k8s.io',
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://any');
    const [, namespace = '', pod = ''] =
      /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/portforward$/.exec(pathname) ?? [];
    const refused = refuse(request, pod, namespace);
    if (refused === 'swallow') return;
    if (refused) return answer(socket, ...refused);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      serve(webSocket, { pod, port: Number(searchParams.get('ports')), target: targets[pod] ?? 0 });
    });
  });
}

function answer(socket: Duplex, status: number, message: string): void {
  const body = statusBody(status, message);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function serve(
  webSocket: WebSocket,
  { pod, port, target }: { pod: string; port: number; target: number },
): void {
  const header = Buffer.of(port & 255, port >> 8);
  const send = (channel: number, bytes: Buffer, sent = () => {}) =>
    webSocket.send(Buffer.concat([Buffer.of(channel), bytes]), sent);
  send(0, header);
  send(1, header);
  const socket = connect(target || 1, '127.0.0.1');
  socket.on('data', (bytes) => {
    socket.pause();
    send(0, bytes, () => socket.resume());
  });
  socket.on('error', ({ message }) => {
    send(1, Buffer.from(`error forwarding port ${port} to pod ${pod}: ${message}`));
  });
  socket.on('close', () => webSocket.close(1000));
  webSocket.on('message', (message: Buffer) => socket.write(message.subarray(1)));
  webSocket.on('close', () => socket.destroy());
  webSocket.on('error', () => socket.destroy());
}
