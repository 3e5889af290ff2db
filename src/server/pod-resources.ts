import { PbfReader } from 'pbf';

import type { Log } from '../core/log.ts';
import { grpcCall } from './grpc-call.ts';
import type { Allocation } from './pod-holders.ts';

const service = '/v1.PodResourcesLister';
const limits = {
  deadlineMs: 2000,
  answerBytesAtMost: 4 * 2 ** 20, // far more than a node full of pods needs
};

export interface Given {
  readonly allocations: readonly Allocation[];
  /**
   * The devices that the kubelet can give to pods, in use or not: those that a device plugin offers as healthy. Null where
   * it never offered any of NVIDIA's (claims are not in this list), or does not tell: before 1.28.
   */
  readonly offered: readonly string[] | null;
  /** When it was asked; monotonic. */
  readonly readAtMs: number;
}

/** What the kubelet last said of who was given what; `reason` while it does not answer. */
export type Allocations = Given | { readonly reason: string };

export interface Kubelet {
  /** What it said last. */
  readonly allocations: () => Allocations;
  /** Asks it now, if that was not done a moment ago. One that did not answer the last time is not waited for. Never rejects. */
  readonly refresh: () => Promise<void>;
}

/** However often somebody wants to know. */
const refreshAtMostEveryMs = 1000;

/**
 * Asks the kubelet again and again who was given which GPU. That it does not answer, or does again, is one line of the log.
 *
 * @param socket  as in the kubelet's documentation: /var/lib/kubelet/pod-resources/kubelet.sock
 * @param pod     our own: agents may hold every GPU by an administrator's claim, and use none
 */
export function watchAllocations(
  socket: string,
  { pod, intervalMs, log }: { pod: string; intervalMs: number; log: Log },
): Kubelet {
  let known: Allocations = { reason: 'not asked yet' };
  let refused: string | undefined;
  let hasOffered = false;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  async function look(): Promise<void> {
    const readAtMs = performance.now();
    askedAtMs = readAtMs;
    try {
      const { allocations, offered } = await given(socket, daemonSetOf(pod));
      hasOffered ||= offered !== null && offered.length > 0;
      known = { allocations, offered: hasOffered ? offered : null, readAtMs };
      if (refused !== undefined) log.info('the kubelet tells again who has which GPU');
      refused = undefined;
    } catch (thrown) {
      const reason = whyNot(thrown);
      known = { reason };
      if (reason !== refused)
        log.warn('the kubelet does not tell who has which GPU: no pod labels', { socket, reason });
      refused = reason;
    }
  }
  const ask = () => {
    asking ??= look().finally(() => (asking = undefined));
    return asking;
  };
  const again = (): void => void ask().then(() => setTimeout(again, intervalMs).unref());
  again();
  return {
    allocations: () => known,
    async refresh() {
      if (refused !== undefined) return;
      if (asking || performance.now() - askedAtMs >= refreshAtMostEveryMs) await ask();
    },
  };
}

async function given(socket: string, ours: string): Promise<Omit<Given, 'readAtMs'>> {
  const ask = (method: string) =>
    grpcCall({ ...limits, socket, path: `${service}/${method}` }, new Uint8Array());
  const allocations = allocationsIn(await ask('List')).filter((each) => daemonSetOf(each.pod) !== ours);
  return { allocations, offered: await ask('GetAllocatableResources').then(offeredIn, () => null) };
}

/**
 * By the name: two of one DaemonSet are on the node while one takes the other's place. In whatever namespace, as a second
 * release of the same name holds every GPU, too.
 */
function daemonSetOf(pod: string): string {
  return pod.replace(/-[a-z\d]{5}$/, '');
}

function whyNot(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such socket: is its directory mounted?';
  if (code === 'ECONNREFUSED') return 'nobody listens at this socket';
  if (code === 'EACCES') return 'permission denied: it takes root';
  return message;
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

/** The devices of NVIDIA's plugins in an answer to GetAllocatableResources. Source: the same file. */
export function offeredIn(answer: Uint8Array): string[] {
  const devices: string[] = [];
  each(answer, { 1: (pbf) => devices.push(...pluginDevicesIn(pbf)) });
  return devices;
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

/** DynamicResource: of each of its devices the CDI names, and `DRIVER/DEVICE`. */
function claimDevicesIn(message: PbfReader): string[] {
  const names: string[] = [];
  fields(message, { 4: (claim) => names.push(...claimResourceIn(claim)) });
  return names;
}

function claimResourceIn(message: PbfReader): string[] {
  const names: string[] = [];
  let [driver, device] = ['', ''];
  fields(message, {
    1: (cdi) => fields(cdi, { 1: (pbf) => names.push(pbf.readString()) }),
    2: (pbf) => (driver = pbf.readString()),
    4: (pbf) => (device = pbf.readString()),
  });
  return [...names, `${driver}/${device}`];
}

type Readers = Readonly<Record<number, (pbf: PbfReader) => unknown>>;

/** Reads the message that comes next. Fields that are not named here are passed over. */
function fields(message: PbfReader, readers: Readers): void {
  message.readMessage((tag, _, pbf) => void readers[tag]?.(pbf), undefined);
}

function each(whole: Uint8Array, readers: Readers): void {
  new PbfReader(whole).readFields((tag, _, pbf) => void readers[tag]?.(pbf), undefined);
}
