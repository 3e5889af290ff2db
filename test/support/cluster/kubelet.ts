import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

const protocol = 'v4.channel.k8s.io';
const dataChannel = 0;
const errorChannel = 1;

export interface Kubelet {
  readonly port: number;
  stop(): void;
}

/**
 * Plays the kubelet's half of a port-forward, as far as one port by websocket goes. kwok does that too, but keeps a
 * stream open whose far end has closed: it waits for both directions. A kubelet closes it: containerd gives the other
 * direction a second more, this one nothing, so that thousands of broken streams can be had in minutes.
 *
 * @param certificate paths of what it serves with
 * @param portOf where the pod's port is on this machine
 */
export async function startKubelet(
  certificate: { readonly cert: string; readonly key: string },
  portOf: (pod: string) => number | undefined,
): Promise<Kubelet> {
  const server = createServer({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) });
  const webSockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => protocol,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'https://kubelet');
    const [, , , pod = ''] = pathname.split('/'); // /portForward/NAMESPACE/POD
    const port = portOf(pod);
    if (port === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    webSockets.handleUpgrade(request, socket, head, (webSocket) =>
      carry(webSocket, port, Number(searchParams.get('port'))),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.close();
      for (const webSocket of webSockets.clients) webSocket.terminate();
    },
  };
}

/** Each message is a channel and bytes; the first of each channel repeats the port that was asked for. */
function carry(webSocket: WebSocket, port: number, asked: number): void {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  for (const channel of [dataChannel, errorChannel])
    webSocket.send(Buffer.from([channel, asked & 0xff, asked >> 8]));
  webSocket.on('message', (data: RawData) => {
    const message = data as Buffer;
    if (message[0] === dataChannel) socket.write(message.subarray(1));
  });
  webSocket.on('close', () => socket.destroy()).on('error', () => socket.destroy());
  socket.on('data', (chunk) => webSocket.send(Buffer.concat([Buffer.of(dataChannel), chunk])));
  socket.on('error', () => undefined).on('close', () => webSocket.close(1000));
}
