import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';

import {
  type Allocation,
  type Device,
  decodeAllocateRequest,
  encodeAllocateResponse,
  encodeListAndWatchResponse,
  encodeRegisterRequest,
} from './device-plugin-messages.ts';

export interface DevicePlugin {
  /** Tells the kubelet of other devices from now on. */
  offer(devices: readonly Device[]): void;
  /** The ids of each container that the kubelet has asked for, oldest first. */
  readonly allocated: readonly (readonly string[])[];
  /** Ends the server and removes its socket: the kubelet takes the devices for unhealthy. */
  stop(): Promise<void>;
}

const nothing = Buffer.alloc(0);
const bytes = (message: Buffer): Buffer => message;
const untilRegisteredMs = 10_000;

/**
 * Offers a resource to a kubelet, as NVIDIA's device plugin does: resolves when the kubelet has registered it, which is
 * before the node says how many there are.
 *
 * @param folder the kubelet's `device-plugins`, with its `kubelet.sock`
 * @param allocate what a container gets with its devices; by default NVIDIA_VISIBLE_DEVICES with their ids
 */
export async function startDevicePlugin(of: {
  folder: string;
  resource?: string;
  devices: readonly Device[];
  allocate?: (ids: readonly string[]) => Allocation;
}): Promise<DevicePlugin> {
  const { folder, resource = 'nvidia.com/gpu', allocate = visibleDevices } = of;
  const endpoint = `${resource.replace('/', '-')}.sock`;
  const socket = join(folder, endpoint);
  const allocated: (readonly string[])[] = [];
  const watchers = new Set<ServerWritableStream<Buffer, Buffer>>();
  let devices = of.devices;

  const server = new Server();
  server.addService(service, {
    getDevicePluginOptions: answer(() => nothing),
    listAndWatch(stream: ServerWritableStream<Buffer, Buffer>) {
      watchers.add(stream);
      stream.on('cancelled', () => watchers.delete(stream));
      stream.write(encodeListAndWatchResponse(devices));
    },
    allocate: answer((request) => {
      const containers = decodeAllocateRequest(request);
      allocated.push(...containers);
      return encodeAllocateResponse(containers.map(allocate));
    }),
  });
  rmSync(socket, { force: true });
  await listen(server, socket);
  const stop = async () => {
    server.forceShutdown();
    rmSync(socket, { force: true });
  };
  try {
    await register(join(folder, 'kubelet.sock'), endpoint, resource);
  } catch (cause) {
    await stop();
    throw new Error(`the kubelet does not take the device plugin for ${resource}: ${cause}`, { cause });
  }
  return {
    allocated,
    offer(next) {
      devices = next;
      for (const watcher of watchers) watcher.write(encodeListAndWatchResponse(devices));
    },
    stop,
  };
}

/** What the container's runtime is told by: the variable that NVIDIA's plugin sets. */
function visibleDevices(ids: readonly string[]): Allocation {
  return { env: { NVIDIA_VISIBLE_DEVICES: ids.join(',') } };
}

const plain = {
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};
const method = (name: string, responseStream = false) => ({
  path: `/v1beta1.DevicePlugin/${name}`,
  requestStream: false,
  responseStream,
  ...plain,
});
const service = {
  getDevicePluginOptions: method('GetDevicePluginOptions'),
  listAndWatch: method('ListAndWatch', true),
  allocate: method('Allocate'),
};

function answer(work: (request: Buffer) => Buffer) {
  return ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
    reply(null, work(request));
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

async function register(kubelet: string, endpoint: string, resource: string): Promise<void> {
  const client = new Client(`unix:${kubelet}`, credentials.createInsecure());
  const request = encodeRegisterRequest(endpoint, resource);
  const deadline = Date.now() + untilRegisteredMs;
  try {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        '/v1beta1.Registration/Register',
        bytes,
        bytes,
        request,
        { deadline },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  } finally {
    client.close();
  }
}
