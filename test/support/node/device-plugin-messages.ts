// The messages of k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto that our plugin speaks.
import { PbfReader, PbfWriter } from 'pbf';

export interface Device {
  readonly id: string;
  readonly healthy: boolean;
}

/** What a container gets with its devices. */
export interface Allocation {
  readonly env?: Readonly<Record<string, string>>;
  readonly mounts?: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly readOnly: boolean;
  }[];
  readonly devices?: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    /** Of the letters r, w and m. */
    readonly permissions: string;
  }[];
}

export function encodeRegisterRequest(endpoint: string, resource: string): Buffer {
  return message((pbf) => {
    pbf.writeStringField(1, 'v1beta1');
    pbf.writeStringField(2, endpoint);
    pbf.writeStringField(3, resource);
  });
}

export function encodeListAndWatchResponse(devices: readonly Device[]): Buffer {
  return message((pbf) => {
    for (const device of devices) pbf.writeMessage(1, writeDevice, device);
  });
}

/** The ids that each container of a pod wants. */
export function decodeAllocateRequest(request: Uint8Array): string[][] {
  const containers: string[][] = [];
  new PbfReader(request).readFields((field, _, pbf) => {
    if (field === 1) containers.push(readIds(pbf));
  }, undefined);
  return containers;
}

export function encodeAllocateResponse(containers: readonly Allocation[]): Buffer {
  return message((pbf) => {
    for (const container of containers) pbf.writeMessage(1, writeAllocation, container);
  });
}

function message(write: (pbf: PbfWriter) => void): Buffer {
  const pbf = new PbfWriter();
  write(pbf);
  return Buffer.from(pbf.finish());
}

function readIds(pbf: PbfReader): string[] {
  return pbf.readMessage<string[]>((field, ids, inner) => {
    if (field === 1) ids.push(inner.readString());
  }, []);
}

function writeDevice({ id, healthy }: Device, pbf: PbfWriter): void {
  pbf.writeStringField(1, id);
  pbf.writeStringField(2, healthy ? 'Healthy' : 'Unhealthy');
}

function writeAllocation({ env = {}, mounts = [], devices = [] }: Allocation, pbf: PbfWriter): void {
  for (const entry of Object.entries(env)) pbf.writeMessage(1, writeStrings, entry);
  for (const { containerPath, hostPath, readOnly } of mounts)
    pbf.writeMessage(2, writeMount, { paths: [containerPath, hostPath], readOnly });
  for (const { containerPath, hostPath, permissions } of devices)
    pbf.writeMessage(3, writeStrings, [containerPath, hostPath, permissions]);
}

function writeMount({ paths, readOnly }: { paths: string[]; readOnly: boolean }, pbf: PbfWriter): void {
  writeStrings(paths, pbf);
  pbf.writeBooleanField(3, readOnly);
}

/** Fields 1, 2, …: as maps, mounts and devices have them. */
function writeStrings(values: readonly string[], pbf: PbfWriter): void {
  for (const [index, value] of values.entries()) pbf.writeStringField(index + 1, value);
}
