import type {
  DriverProcess,
  GpuProcess,
  GpuProcesses,
  NodeProcesses,
  ProcessOnNode,
} from '../../core/process.ts';
import { map, orNull, type Reading } from '../../core/reading.ts';
import { type Answers, answerOfGpu, type GpuState, unanswered } from '../../core/snapshot.ts';
import type { Allocations } from '../pod-resources.ts';
import { type GpuHolders, gpuHolders, silentKubelet } from './gpu-holders.ts';

export interface ProcessBookOptions {
  readonly onNode: (pid: number) => ProcessOnNode;
  readonly allocations: () => Allocations;
}

/** What the driver said of each GPU's processes, and when. */
type Listed = Answers['processes'];
type ListedGpu = NonNullable<ReturnType<Listed['get']>>;

interface Known {
  readonly startedAtMs: number | null;
  readonly process: DriverProcess;
  /** Monotonic: the first of the looks since which it has been in state D at each. */
  readonly waitsSinceMs: number | null;
}

/** States in which a process is not run and cannot be ended: it waits in the kernel, or has ended and is not laid to rest. */
const stuck: ReadonlySet<string> = new Set(['D', 'Z']);
/** A driver that lists more on one GPU lists nonsense. */
const knownAtMost = 1000;

/** The processes of each GPU, with what the node and the kubelet know of them; and those that left the driver's list, but not the node. */
export class ProcessBook {
  readonly #options: ProcessBookOptions;
  /** GPU → pid → who that was when the driver listed it last. */
  readonly #known = new Map<string, Map<number, Known>>();
  readonly #seen = new Map<string, GpuProcesses>();

  constructor(options: ProcessBookOptions) {
    this.#options = options;
  }

  /** The driver was asked anew: looks up whose the processes are now. */
  update(gpus: readonly GpuState[], listed: Listed, nowMs: number): void {
    const given = this.#options.allocations();
    const kubelet = 'reason' in given ? silentKubelet : gpuHolders(given);
    for (const gpu of gpus) {
      const before = this.#seen.get(keyOf(gpu));
      const gone = { readAtMs: before?.readAtMs ?? 0, answer: unanswered(gpu) };
      const now = answerOfGpu(listed, gpu) ?? (isGone(gpu) && before ? gone : undefined);
      if (now) this.#seen.set(keyOf(gpu), this.#look(gpu, now, kubelet, nowMs));
    }
  }

  view(gpus: readonly GpuState[]): NodeProcesses {
    const allocations = this.#options.allocations();
    const reason = 'reason' in allocations ? allocations.reason : null;
    return {
      gpus: gpus.map((gpu) => this.#seen.get(keyOf(gpu)) ?? unknown(gpu)),
      podResources: { readable: reason === null, reason },
    };
  }

  #look(
    gpu: GpuState,
    { readAtMs, answer: processes }: ListedGpu,
    kubelet: GpuHolders,
    nowMs: number,
  ): GpuProcesses {
    const before = this.#known.get(keyOf(gpu));
    const named = (process: DriverProcess, left: boolean): GpuProcess => {
      const onNode = this.#options.onNode(process.pid);
      const holders = kubelet.ofProcess(gpu, process);
      return {
        ...process,
        onNode,
        holders,
        left,
        waitingMs: waitingMs(onNode, before?.get(process.pid), nowMs),
      };
    };
    const listed = 'value' in processes ? processes.value : [];
    const left = this.#left(keyOf(gpu), listed).map((process) => named(process, true));
    const known = map(processes, (list) =>
      certain([...list.map((process) => named(process, false)), ...left]),
    );
    this.#remember(keyOf(gpu), known, nowMs);
    return {
      index: gpu.index,
      readAtMs,
      processes: known,
      stuck: 'value' in known ? [] : left,
      holders: kubelet.ofGpu(gpu),
      offered: kubelet.offers(gpu),
    };
  }

  /** Those that were listed before and are stuck: the same process, not another that has its pid now. */
  #left(gpu: string, listed: readonly DriverProcess[]): DriverProcess[] {
    const now = new Set(listed.map(({ pid }) => pid));
    return [...(this.#known.get(gpu) ?? [])].flatMap(([pid, { startedAtMs, process }]) => {
      if (now.has(pid)) return [];
      const { state, startedAtMs: started } = this.#options.onNode(pid);
      return stuck.has(orNull(state) ?? '') && orNull(started) === startedAtMs ? [process] : [];
    });
  }

  #remember(gpu: string, processes: Reading<readonly GpuProcess[]>, nowMs: number): void {
    if ('missing' in processes) return;
    const known = processes.value
      .slice(0, knownAtMost)
      .map(({ onNode, holders: _, left: __, waitingMs: waited, ...process }) => {
        const waitsSinceMs = waited === null ? null : nowMs - waited;
        return [process.pid, { startedAtMs: orNull(onNode.startedAtMs), process, waitsSinceMs }] as const;
      });
    this.#known.set(gpu, new Map(known));
  }
}

function waitingMs(
  { state, startedAtMs }: ProcessOnNode,
  before: Known | undefined,
  nowMs: number,
): number | null {
  if (orNull(state) !== 'D') return null;
  const isThatOne = before?.startedAtMs === orNull(startedAtMs);
  return nowMs - ((isThatOne ? before?.waitsSinceMs : null) ?? nowMs);
}

/**
 * A kubelet that names one container, where processes of several are on the GPU or part, has not told of all that have it:
 * one takes what a container runtime shows it, or is not of Kubernetes. Which of them is whose cannot be told then.
 */
function certain(processes: readonly GpuProcess[]): GpuProcess[] {
  const containers = new Map<string, Set<string>>();
  const partOf = ({ gpuInstanceId, computeInstanceId }: GpuProcess) =>
    `${gpuInstanceId} ${computeInstanceId}`;
  for (const process of processes) {
    const id = orNull(process.onNode.container)?.containerId;
    const known = containers.get(partOf(process)) ?? new Set();
    containers.set(partOf(process), id === undefined ? known : known.add(id));
  }
  return processes.map((process) => {
    const shared = (containers.get(partOf(process))?.size ?? 0) > 1;
    return shared && process.holders.length === 1 ? { ...process, holders: [] } : process;
  });
}

function unknown(gpu: GpuState): GpuProcesses {
  const { index } = gpu;
  return { index, readAtMs: null, processes: unanswered(gpu), stuck: [], holders: [], offered: null };
}

/** Indices change from one driver life to the next. */
function keyOf({ index, readings: { uuid, pciAddress } }: GpuState): string {
  return orNull(pciAddress) ?? orNull(uuid) ?? String(index);
}

function isGone({ trouble }: GpuState): boolean {
  return trouble?.kind === 'vanished';
}
