import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { Api, ObjectRef } from './api.ts';

/**
 * Resolves when kwok follows every PortForward written before the call.
 *
 * kwok learns of them by a watch, which takes milliseconds, and seconds after the API server was away; nothing it
 * shows says how far it is. So a marker is written behind them, and kwok is asked as the API server asks it until
 * it knows the marker: a watch delivers in order. The marker ends in `echo`, hence no listener of a test sees a
 * connection that it did not expect.
 */
export type ForwardsSeen = () => Promise<void>;

/** @param kwokPort where kwok listens as a kubelet */
export function forwardsSeen(api: Api, kwokPort: number, limitMs = 60_000): ForwardsSeen {
  let count = 0;
  return async () => {
    const marker = markerRef(++count);
    const giveUpAt = Date.now() + limitMs;
    const { apiVersion, kind, ...metadata } = marker;
    await api.apply({ apiVersion, kind, metadata, spec: { forwards: [{ ports: [1], command: ['echo'] }] } });
    while (!(await knows(kwokPort, marker))) {
      if (Date.now() > giveUpAt)
        throw new Error(`kwok has not followed the port-forwards within ${limitMs} ms`);
      await sleep(20);
    }
    await api.remove(marker);
  };
}

function markerRef(count: number): ObjectRef & { namespace: string } {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'PortForward',
    name: `seen-${count}`,
    namespace: 'default',
  };
}

/**
 * Whether something comes back through the marker. A frame is a channel (0 data, 1 errors) and bytes; the first
 * of each channel only repeats the port, in two bytes. Source: k8s.io/kubelet/pkg/cri/streaming/portforward.
 */
function knows(kwokPort: number, { namespace, name }: { namespace: string; name: string }): Promise<boolean> {
  const url = `wss://127.0.0.1:${kwokPort}/portForward/${namespace}/${name}?port=1`;
  const socket = new WebSocket(url, 'v4.channel.k8s.io', { rejectUnauthorized: false });
  return new Promise<boolean>((resolve) => {
    let seen = 0;
    socket.on('message', (frame: Buffer) => {
      seen += frame[0] === 0 ? frame.length - 1 : 0;
      if (seen > 2) resolve(true);
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  }).finally(() => socket.terminate());
}
