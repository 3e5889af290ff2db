import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { PbfWriter } from 'pbf';
import { onTestFinished } from 'vitest';

export interface GivenContainer {
  readonly namespace?: string;
  readonly pod: string;
  readonly container?: string;
  readonly resource?: string;
  readonly devices?: readonly string[];
  /** A claim's devices. */
  readonly claimed?: readonly ClaimedDevice[];
}

interface ClaimedDevice {
  readonly driver?: string;
  readonly device?: string;
  readonly cdi?: readonly string[];
}

/** ListPodResourcesResponse of k8s.io/kubelet pkg/apis/podresources/v1/api.proto, with fields that we do not read. */
export function listAnswer(containers: readonly GivenContainer[]): Buffer {
  const pbf = new PbfWriter();
  for (const {
    namespace = 'ml',
    pod,
    container = 'main',
    resource = 'nvidia.com/gpu',
    devices,
    claimed,
  } of containers)
    pbf.writeMessage(
      1,
      (_, pods) => {
        pods?.writeStringField(1, pod);
        pods?.writeStringField(2, namespace);
        pods?.writeMessage(
          3,
          (__, own) => {
            own?.writeStringField(1, container);
            own?.writePackedVarint(3, [4, 5]); // cpu_ids
            if (devices)
              own?.writeMessage(
                2,
                (___, given) => {
                  given?.writeStringField(1, resource);
                  for (const id of devices) given?.writeStringField(2, id);
                  given?.writeMessage(
                    3,
                    (____, topology) => topology?.writeBytesField(1, new Uint8Array([8, 1])),
                    null,
                  );
                },
                null,
              );
            if (claimed)
              own?.writeMessage(
                5,
                (___, claim) => {
                  claim?.writeStringField(2, 'claim');
                  claim?.writeStringField(3, namespace);
                  for (const given of claimed)
                    claim?.writeMessage(4, (____, resource) => writeClaimed(given, resource), null);
                },
                null,
              );
          },
          null,
        );
      },
      null,
    );
  return Buffer.from(pbf.finish());
}

function writeClaimed(
  { driver = '', device = '', cdi = [] }: ClaimedDevice,
  resource: PbfWriter | undefined,
): void {
  for (const name of cdi)
    resource?.writeMessage(1, (_, cdiDevice) => cdiDevice?.writeStringField(1, name), null);
  resource?.writeStringField(2, driver);
  resource?.writeStringField(3, 'gpu-node-1');
  resource?.writeStringField(4, device);
}

/** AllocatableResourcesResponse of the same file. */
export function allocatableAnswer(devices: Readonly<Record<string, readonly string[]>>): Buffer {
  const pbf = new PbfWriter();
  for (const [resource, ids] of Object.entries(devices))
    pbf.writeMessage(
      1,
      (_, given) => {
        given?.writeStringField(1, resource);
        for (const id of ids) given?.writeStringField(2, id);
      },
      null,
    );
  pbf.writePackedVarint(2, [0, 1, 2]); // cpu_ids
  return Buffer.from(pbf.finish());
}

const same = (bytes: Buffer) => bytes;
const method = (name: string) => ({
  path: `/v1.PodResourcesLister/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

type Answer = readonly GivenContainer[] | Partial<ServiceError> | 'never';

export interface FakeKubelet {
  readonly socket: string;
  readonly calls: () => number;
  /** What it answers from now on: who has what, a refusal, or nothing at all. */
  answer(next: Answer): void;
  /** The devices that it can give to pods, by resource; until then it does not know that question, as before 1.28. */
  offer(devices: Readonly<Record<string, readonly string[]>>): void;
  stop(): void;
}

/** A real gRPC server on a socket of its own, as the kubelet's. */
export async function startFakeKubelet(first: readonly GivenContainer[] = []): Promise<FakeKubelet> {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-kubelet-'));
  const socket = join(folder, 'kubelet.sock');
  const encoded = (given: Answer) =>
    Array.isArray(given) ? listAnswer(given) : (given as Exclude<Answer, readonly GivenContainer[]>);
  let current = encoded(first);
  let offered: Buffer | undefined;
  let calls = 0;
  const server = new Server();
  type Reply = (error: Partial<ServiceError> | null, answer?: Buffer) => void;
  server.addService(
    { List: method('List'), GetAllocatableResources: method('GetAllocatableResources') },
    {
      GetAllocatableResources(_: unknown, reply: Reply) {
        if (offered) reply(null, offered);
        else reply({ code: status.UNIMPLEMENTED });
      },
      List(_: unknown, reply: Reply) {
        calls++;
        if (current === 'never') return;
        if (Buffer.isBuffer(current)) reply(null, current);
        else reply({ code: status.INTERNAL, ...current });
      },
    },
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  onTestFinished(() => {
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  });
  return {
    socket,
    calls: () => calls,
    answer(next) {
      current = encoded(next);
    },
    offer(devices) {
      offered = allocatableAnswer(devices);
    },
    stop: () => {
      server.forceShutdown();
      rmSync(socket, { force: true });
    },
  };
}
