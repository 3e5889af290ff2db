import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import { agentPod, daemonSet, gpuNode } from '../support/kube-api/objects.ts';

const objects = [daemonSet('agent'), agentPod('gpu-1'), gpuNode('gpu-1')];

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

let count = 0;
/** A plugin that counts its runs in a file, and prints `token` (of the run, by a placeholder). */
function plugin(
  token: string,
  { after = 0, expiresInMs = 3_600_000 } = {},
): { user: object; runs: () => number } {
  const marks = join(tmpdir(), `plugin-${process.pid}-${++count}`);
  writeFileSync(marks, '');
  onTestFinished(() => rmSync(marks));
  const script = `
    const fs = require('node:fs');
    fs.appendFileSync(${JSON.stringify(marks)}, 'x');
    const run = fs.readFileSync(${JSON.stringify(marks)}).length;
    const status = { token: ${JSON.stringify(token)}.replace('RUN', run), expirationTimestamp: new Date(Date.now() + ${expiresInMs}) };
    setTimeout(() => console.log(JSON.stringify({ status })), ${after});`;
  return {
    user: { exec: { command: process.execPath, args: ['-e', script] } },
    runs: () => readFileSync(marks, 'utf8').length,
  };
}

test('a credential plugin runs once for all that ask at once, and again only when its token has expired', async () => {
  const api = await kubeApi({ objects });
  const lasting = plugin('good');
  const cluster = clientOf(api, { user: lasting.user });
  await Promise.all([cluster.view(soon()), cluster.view(soon())]);
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));
  expect(lasting.runs()).toBe(1);

  const brief = plugin('good', { expiresInMs: 5_500 });
  const other = clientOf(api, { user: brief.user });
  await other.view(soon());
  await new Promise((resolve) => setTimeout(resolve, 700));
  api.endWatches();
  const [agent] = (await other.view(soon())).agents;
  if (agent) await other.dial(agent, soon());

  expect(brief.runs()).toBe(2);
});

test('a refused token is renewed, once', async () => {
  const api = await kubeApi({ objects, accepts: (authorization) => authorization === 'Bearer run-2' });
  const renewing = plugin('run-RUN');

  expect((await clientOf(api, { user: renewing.user }).view(soon())).agents).toHaveLength(1);
  expect(renewing.runs()).toBe(2);
});

test('a plugin that is slow costs its first caller an answer that says so, not the second', async () => {
  const api = await kubeApi({ objects });
  const slow = plugin('good', { after: 600 });
  const cluster = clientOf(api, { user: slow.user });

  await expect(cluster.view(AbortSignal.timeout(300))).rejects.toMatchObject({
    code: 'CREDENTIAL_PLUGIN_FAILED',
    message: expect.stringContaining('of context test is not done yet'),
  });
  expect((await cluster.view(soon())).agents).toHaveLength(1);
  expect(slow.runs()).toBe(1);
});

test('a plugin that hangs goes with the cluster', async () => {
  const api = await kubeApi({ objects });
  const cluster = clientOf(api, { user: plugin('good', { after: 100_000 }).user });
  const view = cluster.view(soon());
  await new Promise((resolve) => setTimeout(resolve, 200));

  cluster.close();

  await expect(view).rejects.toMatchObject({ name: 'AbortError' });
});

test('a login that is refused names server, user and context, and nothing secret', async () => {
  const api = await kubeApi({ objects });
  const cluster = clientOf(api, { user: { token: 'hunter2' } });

  await expect(cluster.view(soon())).rejects.toMatchObject({
    code: 'CLUSTER_UNAUTHORIZED',
    message: `${api.url} does not accept the login of user dev of context test: Unauthorized`,
  });
  expect(cluster.log()).not.toContain('hunter2');
});

test('a certificate that nobody vouches for', async () => {
  const api = await kubeApi({ objects });
  const cluster = clientOf(api, { cluster: { 'certificate-authority-data': undefined } });

  await expect(cluster.view(soon())).rejects.toMatchObject({
    code: 'CLUSTER_CERTIFICATE',
    message: `the certificate of ${api.url} is not trusted: self-signed certificate`,
  });
});

test('insecure-skip-tls-verify and tls-server-name are heeded, without a user too', async () => {
  const api = await kubeApi({ objects, accepts: () => true });
  const skipping = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true };

  expect((await clientOf(api, { cluster: skipping, user: {} }).view(soon())).agents).toHaveLength(1);
  await expect(
    clientOf(api, { cluster: { 'tls-server-name': 'elsewhere' } }).view(soon()),
  ).rejects.toMatchObject({
    code: 'CLUSTER_CERTIFICATE',
    message: expect.stringContaining("Host: elsewhere. is not in the cert's altnames"),
  });
});

test.for<[string, string, string, RegExp]>([
  [
    'a port that nobody listens on',
    'https://127.0.0.1:1',
    'CLUSTER_UNREACHABLE',
    /^cannot reach https:\/\/127.0.0.1:1: connect ECONNREFUSED/,
  ],
  [
    'a name that does not exist',
    'https://no-such-host.invalid',
    'CLUSTER_UNREACHABLE',
    /the name no-such-host.invalid /,
  ],
])('%s', async ([, url, code, message]) => {
  await expect(clientOf({ url }).view(soon())).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});

test('a port that does not speak TLS, and one that speaks no Kubernetes', async () => {
  const plain = await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  const page = await listen(createHttpServer((_, response) => response.end('<html>Log in</html>')));
  const cluster = { 'insecure-skip-tls-verify': true };

  await expect(clientOf({ url: `https://127.0.0.1:${plain}` }).view(soon())).rejects.toMatchObject({
    code: 'CLUSTER_UNREACHABLE',
    message: expect.stringContaining('does not speak TLS'),
  });
  await expect(clientOf({ url: `http://127.0.0.1:${page}` }, { cluster }).view(soon())).rejects.toMatchObject(
    {
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('something else than JSON'),
    },
  );
});

test('a certificate file that is not there', async () => {
  const api = await kubeApi();
  const cluster = clientOf(api, { cluster: { 'certificate-authority': 'gone.crt' } });

  await expect(cluster.view(soon())).rejects.toMatchObject({
    code: 'KUBECONFIG_INVALID',
    message: expect.stringMatching(
      /^cannot read .*gone.crt, which the kubeconfig names: there is no such file/,
    ),
  });
});

test('a client key that is none', async () => {
  const api = await kubeApi();
  const cluster = clientOf(api, {
    user: { 'client-certificate-data': 'aGVsbG8=', 'client-key-data': 'aGVsbG8=' },
  });

  await expect(cluster.view(soon())).rejects.toMatchObject({ code: 'KUBECONFIG_INVALID' });
});

test('lists, watches and port-forwards go through the proxy, and its refusal is told', async () => {
  const pod = await listen(createServer((socket) => socket.end('hello')));
  const api = await kubeApi({ objects, targets: { 'agent-gpu-1': pod } });
  const tunnels: string[] = [];
  let refuses = false;
  const proxy = createHttpServer();
  proxy.on('connect', ({ url = '' }, socket: Socket) => {
    if (refuses) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    tunnels.push(url);
    const [host, port] = url.split(':');
    const upstream = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    upstream.on('error', () => socket.destroy()).pipe(socket);
    socket.on('error', () => upstream.destroy()).pipe(upstream);
  });
  const cluster = clientOf(api, {
    cluster: { 'proxy-url': `http://u:hunter2@127.0.0.1:${await listen(proxy)}` },
  });

  const [agent] = (await cluster.view(soon())).agents;
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));
  if (agent) (await cluster.dial(agent, soon())).destroy();
  refuses = true;
  const refused = agent && cluster.dial(agent, soon());

  expect(tunnels).toHaveLength(7);
  await expect(refused).rejects.toMatchObject({
    code: 'CLUSTER_UNREACHABLE',
    message: expect.stringMatching(
      /^cannot reach https:\S+ by the proxy http:\/\/127.0.0.1:\d+: the proxy answered 407$/,
    ),
  });
});

test('a proxy that falls silent does not outlive close', async () => {
  const api = await kubeApi({ objects });
  const accepted: Socket[] = [];
  const silent = await listen(createServer((socket) => accepted.push(socket)));
  const cluster = clientOf(api, { cluster: { 'proxy-url': `http://127.0.0.1:${silent}` } });
  const view = cluster.view(soon());
  await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(0));
  const ended = accepted.map((socket) => new Promise((resolve) => socket.once('close', resolve).resume()));

  cluster.close();

  await expect(view).rejects.toMatchObject({ name: 'AbortError' });
  await Promise.all(ended);
});
