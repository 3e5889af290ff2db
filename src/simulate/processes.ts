import type { ContainerOfProcess, DriverProcess, ProcessOnNode } from '../core/process.ts';
import { hash, laggedLoadAt, loadAt } from './noise.ts';

const FIRST_PID = 4000;
const PIDS_APART = 100;
/** Memory of a GPU's own work that no process holds. */
const SHARE_OF_PROCESS = 0.97;

/**
 * What runs on a GPU of a scenario: a busy GPU, or one whose memory is still held, has one program, an idle one none. All
 * of it follows from the node's name, the index and the time.
 */
export function simulatedProcesses(
  seed: string,
  index: number,
  { usedBytes, atMs }: { usedBytes: number; atMs: number },
): DriverProcess[] {
  const load = loadAt(seed, atMs);
  if (load === 0 && laggedLoadAt(seed, atMs) === 0) return [];
  return [
    {
      pid: FIRST_PID + PIDS_APART * index + 1,
      kinds: ['compute'],
      usedBytes: { value: Math.round(usedBytes * SHARE_OF_PROCESS) },
      gpuInstanceId: null,
      computeInstanceId: null,
      utilization:
        load === 0
          ? { missing: 'noData' }
          : {
              value: {
                smPercent: Math.round(100 * load),
                memoryPercent: Math.round(60 * load * load),
                encoderPercent: 0,
                decoderPercent: 0,
                atMs,
              },
            },
    },
  ];
}

/** What the kernel of the simulated node says of such a program: it runs in a container of a pod. */
export function simulatedProcessOnNode(node: string, startedAtMs: number): (pid: number) => ProcessOnNode {
  return (pid) => ({
    comm: { value: 'python3' },
    state: { value: 'R' },
    startedAtMs: { value: startedAtMs },
    startTick: null,
    container: { value: container(`${node}/${pid}`) },
  });
}

function container(seed: string): ContainerOfProcess {
  const word = (part: number) => hash(`container ${part} ${seed}`).toString(16).padStart(8, '0');
  const hex = Array.from({ length: 8 }, (_, part) => word(part)).join('');
  return {
    containerId: hex,
    runtime: 'containerd',
    podUid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5'),
  };
}
