import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';

import { startDevicePlugin } from '../support/node/device-plugin.ts';

const bytes = (message: Buffer): Buffer => message;
const gpus = ['GPU-a', 'GPU-b'].map((id) => ({ id, healthy: true }));

/** A field of protobuf that holds a text or a message: its tag, its length, and it. */
const field = (number: number, content: string | Buffer): Buffer =>
  Buffer.concat([Buffer.of((number << 3) | 2, content.length), Buffer.from(content as string)]);
const device = (id: string, health: string) => field(1, Buffer.concat([field(1, id), field(2, health)]));

test('the kubelet is told the socket, the resource and the version', async () => {
  const { folder, registered } = await kubelet();

  await plugin(folder);

  expect(registered).toEqual([
    Buffer.concat([field(1, 'v1beta1'), field(2, 'nvidia.com-gpu.sock'), field(3, 'nvidia.com/gpu')]),
  ]);
});

test('devices are listed by their ids, and again when one fails', async () => {
  const { folder } = await kubelet();
  const { offer } = await plugin(folder);
  const lists = watch(folder);
  await expect.poll(() => lists.length).toBe(1);

  offer([gpus[0] ?? { id: '', healthy: false }, { id: 'GPU-b', healthy: false }]);
  await expect.poll(() => lists.length).toBe(2);

  expect(lists).toEqual([
    Buffer.concat([device('GPU-a', 'Healthy'), device('GPU-b', 'Healthy')]),
    Buffer.concat([device('GPU-a', 'Healthy'), device('GPU-b', 'Unhealthy')]),
  ]);
});

test('each container is given its GPUs by the variable that NVIDIA’s runtime reads', async () => {
  const { folder } = await kubelet();
  const { allocated } = await plugin(folder);
  const wanted = Buffer.concat([
    field(1, Buffer.concat([field(1, 'GPU-b'), field(1, 'GPU-a')])),
    field(1, field(1, 'GPU-c')),
  ]);

  const response = await ask(folder, 'Allocate', wanted);

  const env = (ids: string) =>
    field(1, field(1, Buffer.concat([field(1, 'NVIDIA_VISIBLE_DEVICES'), field(2, ids)])));
  expect(response).toEqual(Buffer.concat([env('GPU-b,GPU-a'), env('GPU-c')]));
  expect(allocated).toEqual([['GPU-b', 'GPU-a'], ['GPU-c']]);
});

test('a container can be given mounts and device nodes', async () => {
  const { folder } = await kubelet();
  await plugin(folder, () => ({
    mounts: [{ containerPath: '/in', hostPath: '/out', readOnly: true }],
    devices: [{ containerPath: '/dev/nvidia0', hostPath: '/dev/x', permissions: 'rw' }],
  }));

  const response = await ask(folder, 'Allocate', field(1, field(1, 'GPU-a')));

  const mount = field(2, Buffer.concat([field(1, '/in'), field(2, '/out'), Buffer.of(3 << 3, 1)]));
  const node = field(3, Buffer.concat([field(1, '/dev/nvidia0'), field(2, '/dev/x'), field(3, 'rw')]));
  expect(response).toEqual(field(1, Buffer.concat([mount, node])));
});

test('nothing special is asked of the kubelet', async () => {
  const { folder } = await kubelet();
  await plugin(folder);

  expect(await ask(folder, 'GetDevicePluginOptions', Buffer.alloc(0))).toEqual(Buffer.alloc(0));
});

test('once stopped it leaves no socket', async () => {
  const { folder } = await kubelet();
  const { stop } = await plugin(folder);
  expect(existsSync(join(folder, 'nvidia.com-gpu.sock'))).toBe(true);

  await stop();

  expect(readdirSync(folder)).toEqual(['kubelet.sock']);
});

test('without a kubelet it says so, and leaves no socket', async () => {
  const { folder, stop } = await kubelet();
  stop();

  await expect(plugin(folder)).rejects.toThrow(/the kubelet does not take .* nvidia\.com\/gpu/);

  expect(readdirSync(folder)).toEqual([]);
});

/** As much of a kubelet as a plugin sees: what it has registered. */
async function kubelet() {
  const folder = mkdtempSync(join(tmpdir(), 'device-plugins-'));
  const registered: Buffer[] = [];
  const server = new Server();
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const path = '/v1beta1.Registration/Register';
  server.addService(
    { register: { path, requestStream: false, responseStream: false, ...codec } },
    {
      register({ request }: ServerUnaryCall<Buffer, Buffer>, reply: (error: null, empty: Buffer) => void) {
        registered.push(request);
        reply(null, Buffer.alloc(0));
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    const socket = `unix:${join(folder, 'kubelet.sock')}`;
    server.bindAsync(socket, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  onTestFinished(() => {
    server.forceShutdown();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    registered,
    stop() {
      server.forceShutdown();
      rmSync(join(folder, 'kubelet.sock'), { force: true });
    },
  };
}

async function plugin(folder: string, allocate?: Parameters<typeof startDevicePlugin>[0]['allocate']) {
  const started = await startDevicePlugin({ folder, devices: gpus, ...(allocate && { allocate }) });
  onTestFinished(() => started.stop());
  return started;
}

function pluginClient(folder: string): Client {
  const client = new Client(`unix:${join(folder, 'nvidia.com-gpu.sock')}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

function ask(folder: string, method: string, request: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    pluginClient(folder).makeUnaryRequest(
      `/v1beta1.DevicePlugin/${method}`,
      bytes,
      bytes,
      request,
      (error, response) => (error ? reject(error) : resolve(response)),
    );
  });
}

/** What the plugin has told of its devices, as it comes. */
function watch(folder: string): Buffer[] {
  const lists: Buffer[] = [];
  const path = '/v1beta1.DevicePlugin/ListAndWatch';
  const stream = pluginClient(folder).makeServerStreamRequest(path, bytes, bytes, Buffer.alloc(0));
  stream.on('data', (list: Buffer) => lists.push(list)).on('error', () => undefined); // the plugin is stopped
  return lists;
}
