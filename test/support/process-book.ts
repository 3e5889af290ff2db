import type { DriverProcess, ProcessOnNode } from '../../src/core/process.ts';
import type { Allocation } from '../../src/server/pod-holders.ts';
import type { Allocations } from '../../src/server/pod-resources.ts';
import { ProcessBook } from '../../src/server/proc/process-book.ts';
import { gpu } from './gpus.ts';

export function listed(pid: number, given: Partial<DriverProcess> = {}): DriverProcess {
  return {
    pid,
    kinds: ['compute'],
    usedBytes: { value: 1 },
    gpuInstanceId: null,
    computeInstanceId: null,
    utilization: { missing: 'noData' },
    ...given,
  };
}

export function running(state = 'S', startTick = 5): ProcessOnNode {
  return {
    comm: { value: 'job' },
    state: { value: state },
    startedAtMs: { value: 50 },
    startTick,
    container: { value: null },
  };
}

const gone: ProcessOnNode = {
  comm: { missing: 'noData' },
  state: { missing: 'noData' },
  startedAtMs: { missing: 'noData' },
  startTick: null,
  container: { missing: 'noData' },
};

export const gpus = [gpu(0), gpu(1)];
export const uuid = (index: number) => `GPU-00000000-0000-0000-0000-${String(index).padStart(12, '0')}`;
export const given = (pod: string, devices: string[]): Allocation => ({
  namespace: 'ml',
  pod,
  container: 'main',
  devices,
});

/** A book of two GPUs, by what the node, the kubelet and the driver say of them. */
export function bookOf(allocations: readonly Allocation[] | string = []) {
  const waiting = new Map<number, readonly string[]>();
  const onNode = new Map<number, ProcessOnNode>();
  const known: Allocations =
    typeof allocations === 'string' ? { reason: allocations } : { allocations, offered: null, readAtMs: 0 };
  const book = new ProcessBook({
    onNode: (pid) => onNode.get(pid) ?? gone,
    waitingThreads: (pid) => waiting.get(pid) ?? [],
    allocations: () => known,
  });
  const list = (processes: readonly DriverProcess[], index = 0, atMs = 1) =>
    book.update(gpus, new Map([[index, { readAtMs: 1, answer: { value: processes } }]]), atMs);
  const lose = (atMs: number) =>
    book.update(gpus, new Map([[0, { readAtMs: atMs, answer: { missing: 'gpuLost' } }]]), atMs);
  return { book, onNode, waiting, list, lose };
}

export function seen(book: ProcessBook, index = 0) {
  const { processes } = book.view(gpus, 0).gpus[index] ?? {};
  return processes && 'value' in processes ? processes.value : processes;
}
