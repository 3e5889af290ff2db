import type { Log } from '../core/log.ts';
import type { PciGpu } from '../core/pci.ts';
import type { ProcessOnNode } from '../core/process.ts';
import type { Config } from './config.ts';
import { EventBook } from './events/event-book.ts';
import { type LogLines, watchKernelLog } from './events/kernel-log-watch.ts';
import { XidBook } from './events/xid-book.ts';
import type { GpuSources } from './gpu-metrics.ts';
import { HistoryFile } from './history/file.ts';
import { History } from './history/history.ts';
import { type BootClock, bootClock, momentOf } from './node-clock.ts';
import { watchPciBus } from './pci-bus.ts';
import { type HolderOf, holders } from './pod-holders.ts';
import type { Allocations, Kubelet } from './pod-resources.ts';
import type { ProcessBookOptions } from './proc/process-book.ts';
import { nodeProcesses } from './proc/process-on-node.ts';

export interface NodeSources {
  readonly clock: BootClock;
  readonly events: EventBook;
  /** Reads the kernel log now. */
  readonly lookAtLog?: () => void;
  readonly history?: History;
  readonly pciGpus?: () => readonly PciGpu[] | null;
  readonly processes: ProcessBookOptions;
  readonly gpuSources?: GpuSources;
  /** Writes down what is kept for the next life. Never rejects. */
  close(): Promise<void>;
}

export interface SourceOptions {
  readonly node: string;
  readonly pod: string;
  /** Of a simulated node: its kernel log, with times since now. */
  readonly simulatedLog: (() => LogLines) | undefined;
  /** Of a simulated node: what its kernel would say of a process. */
  readonly simulatedProcess: ((pid: number) => ProcessOnNode) | undefined;
  readonly log: Log;
}

/** However seldom samples are taken: an event of the driver waits ten seconds for its line. */
const logAtLeastEveryMs = 5000;

const notAsked = 'not asked for: start the agent with --kernel-log (chart value kernelLog.enabled)';

/** Starts what tells of the GPUs besides their driver. That one cannot be read is told in the log, and in every answer that needs it. */
export async function startSources(config: Config, options: SourceOptions): Promise<NodeSources> {
  const { simulatedLog, log } = options;
  const clock = bootClock();
  const { bootId, bootedAtMs } = clock;
  const { history, file } = await historyOf(config, clock, log);
  const events = new EventBook({
    bootId,
    bootedAtMs: simulatedLog ? Date.now() : bootedAtMs,
    nowMs: Date.now,
    monotonicMs: clock.monotonicMs,
    kept: file?.state,
  });
  events.onEvents(() => file?.keep(events));
  const xids = new XidBook();
  const read = simulatedLog ?? (config.kernelLog ? await realLog() : undefined);
  const intervalMs = Math.min(config.sampleIntervalMs, logAtLeastEveryMs);
  const watched = read && watchKernelLog(read, { book: events, xids, intervalMs, log });
  if (!watched) events.source('kernelLog', notAsked);
  const kubelet = await kubeletOf(config, options);
  const processes = {
    ...(options.simulatedProcess ? { onNode: options.simulatedProcess } : nodeProcesses(clock)),
    ...kubelet,
  };
  return {
    clock,
    events,
    ...(watched && { lookAtLog: watched.look }),
    processes,
    ...(history && { history }),
    ...(config.nvml.mode === 'real' && { pciGpus: await watchPciBus() }),
    ...metricSources(config, options, { events, xids, allocations: kubelet.allocations }),
    async close() {
      events.end();
      file?.keep(events);
      await file?.close();
    },
  };
}

/** Who lives for one call has no history; on disk there is only that of the agent of a node, which serves HTTP. */
async function historyOf({ mode, sampleIntervalMs, historyDir: folder }: Config, clock: BootClock, log: Log) {
  if (mode.kind === 'oneshot') return {};
  const history = new History({ intervalMs: sampleIntervalMs, now: () => momentOf(clock) });
  if (folder === undefined || mode.kind !== 'http') return { history };
  const file = new HistoryFile({ folder, history, bootId: clock.bootId, nowMs: Date.now, log });
  await file.open();
  return { history, file };
}

const noSocket =
  'not asked for: start the agent with --pod-resources-socket (chart value podResources.enabled)';

async function kubeletOf(config: Config, { pod, log }: SourceOptions): Promise<Kubelet> {
  const { podResourcesSocket: socket, sampleIntervalMs: intervalMs } = config;
  if (socket === undefined)
    return { allocations: () => ({ reason: noSocket }), refresh: async () => undefined };
  const { watchAllocations } = await import('./pod-resources.ts');
  return watchAllocations(socket, { pod, intervalMs, log });
}

async function realLog(): Promise<() => LogLines> {
  const [{ kernelLogReader }, { kernelLogLines }] = await Promise.all([
    import('./libc.ts'),
    import('./events/kernel-log-watch.ts'),
  ]);
  return kernelLogLines(kernelLogReader());
}

function metricSources(
  { mode, health, kernelLog, metrics, podResourcesSocket }: Config,
  { node }: SourceOptions,
  { events, xids, allocations }: { events: EventBook; xids: XidBook; allocations: () => Allocations },
): Pick<NodeSources, 'gpuSources'> {
  const { gpus } = metrics;
  if (mode.kind !== 'http' || health === undefined || !(gpus || kernelLog)) return {};
  return {
    gpuSources: {
      node,
      readings: gpus,
      ...(kernelLog && { xids: () => (events.sources.kernelLog.readable ? xids : undefined) }),
      ...(gpus && podResourcesSocket !== undefined && { holders: holdersOf(allocations) }),
    },
  };
}

/** Asked for each GPU: made once for each answer of the kubelet. */
function holdersOf(allocations: () => Allocations): () => HolderOf | undefined {
  const made = new WeakMap<Allocations, HolderOf>();
  return () => {
    const known = allocations();
    if ('reason' in known) return undefined;
    const holderOf = made.get(known) ?? holders(known.allocations);
    made.set(known, holderOf);
    return holderOf;
  };
}
