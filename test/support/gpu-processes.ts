import { fleetInput } from '../../src/bridge/bridge.ts';
import type { DeviceHolder, GpuProcess, GpuProcesses, NodeProcesses } from '../../src/core/process.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { processes } from '../../src/tools/processes.ts';
import { contextOf, noEvents } from './answers.ts';
import { gpu, nowMs, snapshot } from './gpus.ts';

export const gibibyte = 2 ** 30;
const twoGpus = snapshot([gpu(0), gpu(1)]); // 20 GiB used on each
export const free = { totalBytes: 80 * gibibyte, reservedBytes: 0, usedBytes: 0, freeBytes: 80 * gibibyte };
/** GPU 1 holds nothing. */
export const halfEmpty = snapshot([gpu(0), gpu(1, { memory: free })]);
export const readable = { readable: true, reason: null };
export const main: DeviceHolder = { namespace: 'ml', pod: 'train-0', container: 'main' };
const sampledAtMs = Date.parse('2026-11-26T11:59:59.000Z');
const container = {
  containerId: 'c0ffee00'.repeat(8),
  runtime: 'containerd' as const,
  podUid: '0a1b',
};

/** A process of a pod. */
export function job(pid: number, given: Partial<GpuProcess> = {}): GpuProcess {
  return {
    pid,
    kinds: ['compute'],
    usedBytes: { value: 19.5 * gibibyte },
    gpuInstanceId: null,
    computeInstanceId: null,
    utilization: {
      value: { smPercent: 92, memoryPercent: 50, encoderPercent: 0, decoderPercent: 7, atMs: sampledAtMs },
    },
    onNode: {
      comm: { value: 'python3' },
      state: { value: 'R' },
      startedAtMs: { value: Date.parse('2026-11-26T11:00:00.000Z') },
      startTick: 1,
      container: { value: container },
    },
    holders: [main],
    left: false,
    waitingMs: null,
    ...given,
  };
}

export function runs(
  index: number,
  list: readonly GpuProcess[],
  holders: readonly DeviceHolder[] = [],
): GpuProcesses {
  return { index, readAtMs: nowMs - 20, processes: { value: list }, stuck: [], holders, offered: null };
}

/** The lines of the answer of one node. */
export function ask(
  gpus: readonly GpuProcesses[],
  given: object = {},
  podResources: NodeProcesses['podResources'] = readable,
  of = twoGpus,
) {
  const context = contextOf(of, noEvents, { gpus, podResources });
  const value = processes.output.parse(
    JSON.parse(JSON.stringify(processes.answer(parseArguments(processes.input, given), context))),
  );
  return present(processes, parseArguments(fleetInput(processes), given), [{ node: 'a', value }]).text.split(
    '\n',
  );
}
