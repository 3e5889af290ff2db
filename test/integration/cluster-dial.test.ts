import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Client } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Agent, Cluster } from '../../src/bridge/cluster/cluster.ts';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import { agentPod, daemonSet } from '../support/kube-api/objects.ts';
import type { KubeApiOptions } from '../support/kube-api/server.ts';

const agent: Agent = {
  node: 'gpu-1',
  namespace: 'gpu-mcp',
  pod: 'agent-gpu-1',
  life: 'pod-gpu-mcp-agent-gpu-1 0',
  ready: true,
  mode: 'http',
  exposed: false,
  tlsServerName: null,
  plaintext: false,
  port: 8080,
  podIp: null,
};
const objects = [daemonSet('agent'), agentPod('gpu-1')];

/** What listens in the pod. */
async function inPod(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

async function clusterWith(target: number, options: KubeApiOptions = {}): Promise<Cluster> {
  return clientOf(await kubeApi({ objects, targets: { 'agent-gpu-1': target }, ...options }));
}

function failureOf(stream: Duplex): Promise<unknown> {
  stream.resume();
  return new Promise((resolve) => stream.once('error', resolve));
}

test('bytes go both ways, as many as you like, and the end arrives', async () => {
  const port = await inPod((socket) => socket.pipe(socket));
  const cluster = await clusterWith(port);
  const sent = Buffer.alloc(3_000_000, 'abcdefg');

  const stream = await cluster.dial(agent, soon());
  const received: Buffer[] = [];
  const all = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (Buffer.concat(received).length === sent.length) resolve();
    });
  });
  stream.write(sent);
  await all;
  stream.end();

  expect(Buffer.concat(received).equals(sent)).toBe(true);
  await vi.waitFor(() => expect(stream.destroyed).toBe(true));
});

test('what the pod sends before anyone reads is not lost, nor is its end', async () => {
  const cluster = await clusterWith(await inPod((socket) => socket.end('early')));
  const stream = await cluster.dial(agent, soon());
  await new Promise((resolve) => setTimeout(resolve, 100));

  expect((await buffer(stream)).toString()).toBe('early');
});

test('a reader that is slow slows the pod down', async () => {
  let written = 0;
  const port = await inPod((socket) => {
    const more = () => {
      while (socket.write(Buffer.alloc(64 * 1024))) written += 64 * 1024;
    };
    socket.on('drain', more).on('error', () => {});
    more();
  });
  const stream = await (await clusterWith(port)).dial(agent, soon());
  stream.once('readable', () => {});
  await new Promise((resolve) => setTimeout(resolve, 300));

  expect(stream.readableLength).toBeLessThan(1_000_000);
  expect(written).toBeLessThan(40_000_000);
  stream.destroy();
});

test('undici keeps one HTTP connection alive in it', async () => {
  let connections = 0;
  const port = await inPod((socket) => {
    connections++;
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  });
  const cluster = await clusterWith(port);
  const client = new Client('http://agent', {
    connect: (_, done) => {
      cluster.dial(agent, soon()).then(
        (stream) => done(null, stream as Socket),
        (error: Error) => done(error, null),
      );
    },
  });
  onTestFinished(() => client.destroy());

  for (let call = 0; call < 3; call++) {
    const { body } = await client.request({ path: '/mcp', method: 'POST', body: '{}' });
    expect(await body.text()).toBe('ok');
  }
  expect(connections).toBe(1);
});

test('a port that nobody listens on destroys the stream with the kubelet’s words', async () => {
  const stream = await (await clusterWith(0)).dial(agent, soon());

  expect(await failureOf(stream)).toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: expect.stringMatching(
      /^port-forward to pod gpu-mcp\/agent-gpu-1: error forwarding port 8080 .*ECONNREFUSED/,
    ),
  });
});

test('an API server that dies takes the stream with it, as a fault', async () => {
  const api = await kubeApi({ objects, targets: { 'agent-gpu-1': await inPod(() => {}) } });
  const stream = await clientOf(api).dial(agent, soon());
  const failure = failureOf(stream);

  await api.pause();

  expect(await failure).toMatchObject({ code: 'NODE_UNREACHABLE', message: expect.stringContaining('lost') });
});

test('a pod that is gone: the next view lists anew', async () => {
  const api = await kubeApi({ objects });
  const cluster = clientOf(api);
  await cluster.view(soon());
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));

  await expect(cluster.dial({ ...agent, pod: 'old' }, soon())).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: 'pod gpu-mcp/old is gone: pods "old" not found',
  });
  await cluster.view(soon());

  expect(api.requests.filter((request) => request === 'list pods')).toHaveLength(2);
});

test('no right to port-forward: the verb is the one that this server checks', async () => {
  const cluster = await clusterWith(0, { allows: ({ resource }) => resource !== 'pods/portforward' });

  await expect(cluster.dial(agent, soon())).rejects.toMatchObject({
    code: 'CLUSTER_FORBIDDEN',
    message: expect.stringMatching(
      /cannot create resource "pods\/portforward".*To check: kubectl auth can-i create pods --subresource=portforward -n gpu-mcp$/,
    ),
  });
});

test('a dial that is not answered ends with its signal', async () => {
  const cluster = await clusterWith(0, { swallows: ({ resource }) => resource === 'pods/portforward' });

  await expect(cluster.dial(agent, AbortSignal.timeout(200))).rejects.toMatchObject({
    code: 'NODE_TIMEOUT',
    message: 'the port-forward to pod gpu-mcp/agent-gpu-1 did not open in time',
  });
  const left = new Error('left');
  const caller = new AbortController();
  const dialled = cluster.dial(agent, caller.signal);
  setTimeout(() => caller.abort(left), 50);
  await expect(dialled).rejects.toBe(left);
});

test.for([true, false])('a ping every 30 s; that it is answered within 10 s: %s', async (autoPong) => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const cluster = await clusterWith(await inPod(() => {}), { autoPong });
  const stream = await cluster.dial(agent, new AbortController().signal);
  stream.on('error', () => {}).resume();
  const { setTimeout: really } = await import('node:timers/promises');
  await really(50);

  vi.advanceTimersByTime(30_000);
  await really(100);
  vi.advanceTimersByTime(9_999);
  expect(stream.destroyed).toBe(false);
  vi.advanceTimersByTime(1);

  expect(stream.destroyed).toBe(!autoPong);
  if (!autoPong)
    expect(stream.errored).toMatchObject({ message: expect.stringMatching(/no answer to a ping for 10 s$/) });
});

test('close destroys every open stream', async () => {
  const cluster = await clusterWith(await inPod(() => {}));
  const stream = await cluster.dial(agent, soon());

  cluster.close();

  await vi.waitFor(() => expect(stream.destroyed).toBe(true));
});
