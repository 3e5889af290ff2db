import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { PbfReader } from 'pbf';

import type { Log } from '../core/log.ts';
import type { GpuState } from '../core/snapshot.ts';
import { type Allocation, type Holder, holders } from './pod-holders.ts';

const deadlineMs = 2000;
/** What the kubelet sends at most. */
const answerBytes = 16 * 2 ** 20;

/**
 * Asks the kubelet again and again who was given which GPU. While it does not answer nothing is known of that, and a
 * change of that is one line of the log.
 *
 * @param socket  as in the kubelet's documentation: /var/lib/kubelet/pod-resources/kubelet.sock
 * @param pod     our own, which may hold every GPU by an administrator's claim and uses none
 */
export function watchHolders(
  socket: string,
  { pod, intervalMs, log }: { pod: string; intervalMs: number; log: Log },
): (gpu: GpuState) => Holder | undefined {
  let holderOf = holders([]);
  let reason: string | undefined;
  async function look(): Promise<void> {
    try {
      holderOf = holders((await listAllocations(socket)).filter((each) => each.pod !== pod));
      if (reason !== undefined) log.info('the kubelet tells again who has which GPU');
      reason = undefined;
    } catch (thrown) {
      holderOf = holders([]);
      const why = whyNot(thrown as ServiceError);
      if (why !== reason)
        log.warn('the kubelet does not tell who has which GPU: no pod labels', { socket, reason: why });
      reason = why;
    }
    setTimeout(look, intervalMs).unref();
  }
  void look();
  return (gpu) => holderOf(gpu);
}

function whyNot({ code, details = '' }: ServiceError): string {
  if (/\bENOENT\b/.test(details)) return 'there is no such socket: is its directory mounted?';
  if (/\bEACCES\b/.test(details)) return 'permission denied: it takes root';
  if (code === status.DEADLINE_EXCEEDED) return `no answer within ${deadlineMs} ms`;
  return `${status[code] ?? code}: ${details.slice(0, 200)}`;
}

/** One connection for each question: nothing is left of it when the kubelet is restarted, and no back-off to wait for. */
function listAllocations(socket: string): Promise<Allocation[]> {
  const options = { 'grpc.max_receive_message_length': answerBytes };
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), options);
  return new Promise<Allocation[]>((resolve, reject) => {
    client.makeUnaryRequest(
      '/v1.PodResourcesLister/List',
      () => Buffer.alloc(0),
      (answer: Buffer) => allocationsIn(answer),
      null,
      { deadline: Date.now() + deadlineMs },
      (error, allocations) => (error ? reject(error) : resolve(allocations ?? [])),
    );
  }).finally(() => client.close());
}

/**
 * What was given to whom, of an answer to List.
 *
 * Source: k8s.io/kubelet pkg/apis/podresources/v1/api.proto; the field numbers are its.
 */
export function allocationsIn(answer: Uint8Array): Allocation[] {
  const allocations: Allocation[] = [];
  each(answer, {
    1: (pods) => {
      const pod = { name: '', namespace: '', containers: [] as Container[] };
      fields(pods, {
        1: (pbf) => (pod.name = pbf.readString()),
        2: (pbf) => (pod.namespace = pbf.readString()),
        3: (pbf) => pod.containers.push(containerIn(pbf)),
      });
      for (const { name, devices } of pod.containers)
        allocations.push({ namespace: pod.namespace, pod: pod.name, container: name, devices });
    },
  });
  return allocations;
}

interface Container {
  readonly name: string;
  readonly devices: readonly string[];
}

function containerIn(message: PbfReader): Container {
  let name = '';
  const devices: string[] = [];
  fields(message, {
    1: (pbf) => (name = pbf.readString()),
    2: (pbf) => devices.push(...pluginDevicesIn(pbf)),
    5: (pbf) => devices.push(...claimDevicesIn(pbf)),
  });
  return { name, devices };
}

/** ContainerDevices, of NVIDIA's device plugins only. */
function pluginDevicesIn(message: PbfReader): string[] {
  let resource = '';
  const ids: string[] = [];
  fields(message, { 1: (pbf) => (resource = pbf.readString()), 2: (pbf) => ids.push(pbf.readString()) });
  return resource.startsWith('nvidia.com/') ? ids : [];
}

/** DynamicResource: the CDI names of its devices. */
function claimDevicesIn(message: PbfReader): string[] {
  const names: string[] = [];
  fields(message, {
    4: (claim) =>
      fields(claim, { 1: (device) => fields(device, { 1: (pbf) => names.push(pbf.readString()) }) }),
  });
  return names;
}

type Readers = Readonly<Record<number, (pbf: PbfReader) => unknown>>;

/** Reads the message that comes next. Fields that are not named here are passed over. */
function fields(message: PbfReader, readers: Readers): void {
  message.readMessage((tag, _, pbf) => void readers[tag]?.(pbf), undefined);
}

function each(whole: Uint8Array, readers: Readers): void {
  new PbfReader(whole).readFields((tag, _, pbf) => void readers[tag]?.(pbf), undefined);
}
