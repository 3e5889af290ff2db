import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Server } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Program, serveExec } from './exec.ts';
import { statusBody } from './status.ts';

interface PodSocketOptions {
  readonly autoPong: boolean;
  readonly targets: Readonly<Record<string, number>>;
  readonly programs: Readonly<Record<string, Program>>;
  readonly refuse: (
    request: IncomingMessage,
    resource: string,
    { pod, namespace }: { pod: string; namespace: string },
  ) => [number, string] | 'swallow' | null;
}

/**
 * Port-forwards over websockets as the kubelet does them: v4.channel.k8s.io, one port, channels 0 and 1. And execs as the
 * API server does them, by the first protocol that the client names.
 */
export function podSockets(server: Server, { autoPong, targets, programs, refuse }: PodSocketOptions): void {
  const webSockets = new WebSocketServer({
    noServer: true,
    autoPong,
    handleProtocols: ([first = '']) => first,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://any');
    const [, namespace = '', pod = '', subresource] =
      /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/(portforward|exec)$/.exec(pathname) ?? [];
    const refused = refuse(request, `pods/${subresource}`, { pod, namespace });
    if (refused === 'swallow') return;
    if (refused) return answer(socket, ...refused);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      if (subresource === 'exec') return serveExec(webSocket, searchParams, programs[pod]);
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
