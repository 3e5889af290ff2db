import type { Log } from '../core/log.ts';
import type { Config } from './config.ts';
import type { GpuSources } from './gpu-metrics.ts';

/** Starts what the flags ask for. That one cannot be read is told in the log and by a metric of its own; it has no samples then. */
export async function startGpuSources(
  { metrics, sampleIntervalMs: intervalMs }: Config,
  { node, pod, log }: { node: string; pod: string; log: Log },
): Promise<GpuSources> {
  const { gpus, kernelLog, podResourcesSocket: socket } = metrics;
  return {
    node,
    readings: gpus,
    ...(kernelLog && { xids: await xidsOf(intervalMs, log) }),
    ...(gpus && socket !== undefined && { holders: await holdersOf(socket, { pod, intervalMs, log }) }),
  };
}

async function xidsOf(intervalMs: number, log: Log) {
  const [{ kernelLogReader }, { bootTimeS, watchKernelLog }] = await Promise.all([
    import('./libc.ts'),
    import('./kernel-log-reader.ts'),
  ]);
  return watchKernelLog(kernelLogReader(), { intervalMs, bootedAtS: bootTimeS(), log });
}

async function holdersOf(socket: string, options: { pod: string; intervalMs: number; log: Log }) {
  const { watchHolders } = await import('./pod-resources.ts');
  return watchHolders(socket, options);
}
