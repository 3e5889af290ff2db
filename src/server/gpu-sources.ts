import type { Log } from '../core/log.ts';
import type { Config } from './config.ts';
import { EventBook } from './events/event-book.ts';
import { type LogLines, watchKernelLog } from './events/kernel-log-watch.ts';
import { XidBook } from './events/xid-book.ts';
import type { GpuSources } from './gpu-metrics.ts';
import { bootClock } from './node-clock.ts';

export interface NodeSources {
  readonly events: EventBook;
  readonly gpuSources?: GpuSources;
}

export interface SourceOptions {
  readonly node: string;
  readonly pod: string;
  /** Of a simulated node: its kernel log, with times since now. */
  readonly simulatedLog: (() => LogLines) | undefined;
  readonly log: Log;
}

const notAsked = 'not asked for: start the agent with --kernel-log (chart value kernelLog.enabled)';

/** Starts what tells of the GPUs besides their driver. That one cannot be read is told in the log, and in every answer that needs it. */
export async function startSources(config: Config, options: SourceOptions): Promise<NodeSources> {
  const { simulatedLog, log } = options;
  const { bootId, bootedAtMs } = bootClock();
  const events = new EventBook({
    bootId,
    bootedAtMs: simulatedLog ? Date.now() : bootedAtMs,
    nowMs: Date.now,
  });
  const xids = new XidBook();
  const read = simulatedLog ?? (config.kernelLog ? await realLog() : undefined);
  if (read) watchKernelLog(read, { book: events, xids, intervalMs: config.sampleIntervalMs, log });
  else events.source('kernelLog', notAsked);
  return { events, ...(await metricSources(config, options, { events, xids })) };
}

async function realLog(): Promise<() => LogLines> {
  const [{ kernelLogReader }, { kernelLogLines }] = await Promise.all([
    import('./libc.ts'),
    import('./events/kernel-log-watch.ts'),
  ]);
  return kernelLogLines(kernelLogReader());
}

async function metricSources(
  { mode, health, kernelLog, metrics, sampleIntervalMs: intervalMs }: Config,
  { node, pod, log }: SourceOptions,
  { events, xids }: { events: EventBook; xids: XidBook },
): Promise<Pick<NodeSources, 'gpuSources'>> {
  const { gpus, podResourcesSocket: socket } = metrics;
  if (mode.kind !== 'http' || health === undefined || !(gpus || kernelLog)) return {};
  return {
    gpuSources: {
      node,
      readings: gpus,
      ...(kernelLog && { xids: () => (events.sources.kernelLog.readable ? xids : undefined) }),
      ...(gpus && socket !== undefined && { holders: await holdersOf(socket, { pod, intervalMs, log }) }),
    },
  };
}

async function holdersOf(socket: string, options: { pod: string; intervalMs: number; log: Log }) {
  const { watchHolders } = await import('./pod-resources.ts');
  return watchHolders(socket, options);
}
