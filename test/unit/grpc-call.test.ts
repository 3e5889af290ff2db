import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

import { grpcCall } from '../../src/server/grpc-call.ts';
import { allocationsIn } from '../../src/server/pod-resources.ts';
import { startFakeKubelet } from '../support/pod-resources.ts';

const list = { path: '/v1.PodResourcesLister/List', deadlineMs: 2000, answerBytesAtMost: 2 ** 24 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-grpc-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Something that listens, and is no gRPC server, or a bad one. */
async function listening(server: Server): Promise<string> {
  const socket = join(folder(), 'socket');
  await once(server.listen(socket), 'listening');
  onTestFinished(() => void server.close());
  return socket;
}

function answering(answer: (stream: ServerHttp2Stream) => void): Promise<string> {
  const server = createHttp2();
  server.on('stream', answer).on('sessionError', () => undefined);
  return listening(server);
}

async function failureAt(socket: string): Promise<string> {
  return grpcCall({ ...list, socket, deadlineMs: 300 }, new Uint8Array()).then(
    () => 'no failure',
    (error: Error) => error.message,
  );
}

test('an answer of megabytes from a real gRPC server is whole', async () => {
  const devices = (at: number) => Array.from({ length: 8 }, (_, gpu) => `GPU-${at}-${gpu}-${'x'.repeat(60)}`);
  const many = Array.from({ length: 5000 }, (_, at) => ({ pod: `pod-${at}`, devices: devices(at) }));
  const { socket } = await startFakeKubelet(many);

  const answer = await grpcCall({ ...list, socket }, new Uint8Array());

  expect(answer.length).toBeGreaterThan(2 ** 21);
  expect(allocationsIn(answer).map(({ pod, devices: own }) => ({ pod, devices: own }))).toEqual(many);
});

test('an answer beyond the limit is refused', async () => {
  const { socket } = await startFakeKubelet([{ pod: 'a', devices: ['x'.repeat(1000)] }]);

  const call = grpcCall({ ...list, socket, answerBytesAtMost: 900 }, new Uint8Array());

  await expect(call).rejects.toThrow('an answer of more than 900 bytes');
});

test.for<[what: string, answer: (stream: ServerHttp2Stream) => void, failure: RegExp]>([
  [
    'no gRPC',
    (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
    /HTTP status 404, and no gRPC/,
  ],
  [
    'a refusal without an answer',
    (stream) =>
      stream.respond({ 'grpc-status': 12, 'grpc-message': 'unknown%20service' }, { endStream: true }),
    /gRPC status 12 unknown service/,
  ],
  [
    'half of an answer',
    (stream) => {
      stream.respond({}, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]));
    },
    /cut off/,
  ],
  [
    'a connection that breaks off',
    (stream) => {
      stream.respond({});
      stream.write(Buffer.from([0, 0, 0, 1, 0]));
      setTimeout(() => stream.session?.destroy(), 20);
    },
    /HTTP status 200, and no gRPC status|closed|ECONNRESET|cancel/i,
  ],
  ['silence', () => undefined, /no answer within 300 ms/],
])('%s is told', async ([, answer, failure]) => {
  expect(await failureAt(await answering(answer))).toMatch(failure);
});

test('a server that speaks something else, and sockets that nobody listens at, fail in time', async () => {
  const chatter = await listening(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('220 hello\r\n');
    }),
  );
  const file = join(folder(), 'file');
  writeFileSync(file, '');

  expect(await failureAt(chatter)).not.toBe('no failure');
  expect(await failureAt(file)).toMatch(/ECONNREFUSED/);
  expect(await failureAt('/nowhere/socket')).toMatch(/ENOENT/);
});

/** Makes the calls, and tells how many file descriptors it has more than before the first. */
const descriptorsLeft = `
  const { readdirSync } = await import('node:fs');
  const { grpcCall } = await import(process.env.MODULE);
  const call = { path: '/a.B/C', deadlineMs: 20, answerBytesAtMost: 9, socket: process.env.SOCKET };
  const silence = () => grpcCall(call, new Uint8Array()).catch(() => undefined);
  const open = () => readdirSync('/proc/self/fd').length;
  await silence();
  const before = open();
  for (let calls = 0; calls < 20; calls++) await silence();
  await new Promise((done) => setTimeout(done, 50));
  console.log(open() - before);
`;

// On Bun, which the agent runs on: there the session's end leaves the socket open, which Node's does not.
test.runIf(process.platform === 'linux')('no connection is kept to a server that never writes', async () => {
  const socket = await listening(createServer((peer) => void peer.on('error', () => undefined)));
  const env = { ...process.env, SOCKET: socket, MODULE: resolve('src/server/grpc-call.ts') };

  const { stdout } = await promisify(execFile)(
    resolve('node_modules/.bin/bun'),
    ['--eval', descriptorsLeft],
    { env },
  );

  expect(Number(stdout)).toBeLessThan(3);
});
