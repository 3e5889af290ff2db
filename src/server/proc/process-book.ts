import { setImmediate } from 'node:timers/promises';

import type {
  DriverProcess,
  GpuProcess,
  GpuProcesses,
  NodeProcesses,
  ProcessOnNode,
} from '../../core/process.ts';
import { map, orNull } from '../../core/reading.ts';
import { type Answers, answerOfGpu, type GpuState, unanswered } from '../../core/snapshot.ts';
import type { Allocations } from '../pod-resources.ts';
import { type GpuHolders, gpuHolders, silentKubelet } from './gpu-holders.ts';
import { type Look, longestWaitMs, ThreadLooks, type Waits, waitsAfter } from './thread-waits.ts';

export interface ProcessBookOptions {
  readonly onNode: (pid: number) => ProcessOnNode;
  /** The threads that wait in the kernel, with the time that each has run; without it none is known to. */
  readonly waitingThreads?: (pid: number) => readonly string[];
  readonly allocations: () => Allocations;
  /** Asks for them anew; without it they are as they are. */
  readonly refresh?: () => Promise<void>;
}

/** What the driver said of each GPU's processes, and when. */
type Listed = Answers['processes'];
type ListedGpu = NonNullable<ReturnType<Listed['get']>>;

/** A process of which the driver told, as it was at the last look. */
interface Seen {
  readonly process: DriverProcess;
  readonly onNode: ProcessOnNode;
  readonly look: Look;
  readonly waits: Waits;
}
type SeenByPid = ReadonlyMap<number, Seen>;

/** States in which a process does not run any more: it waits in the kernel, or has ended and is not collected. */
const heldStates: ReadonlySet<string> = new Set(['D', 'Z']);
/** For so long nobody else is answered. */
const atAStretchMs = 5;
/** A driver that lists more on one GPU lists nonsense. */
const knownAtMost = 1000;

/** The processes of each GPU, with what the node and the kubelet know of them; and those that left the driver's list, but not the node. */
export class ProcessBook {
  readonly #options: ProcessBookOptions;
  readonly #looks: ThreadLooks;
  /** GPU → what it answered last. */
  readonly #answered = new Map<string, ListedGpu>();
  /** GPU → pid → who that was when the driver listed it last. */
  readonly #known = new Map<string, SeenByPid>();
  readonly #seen = new Map<string, GpuProcesses>();
  /** Monotonic: of when the allocations are by which the holders were told; null while there are none. */
  #givenAtMs: number | null = null;

  constructor(options: ProcessBookOptions) {
    this.#options = options;
    this.#looks = new ThreadLooks(options.waitingThreads ?? (() => []));
  }

  /** Looks at the threads of all that will be told of, a little at a time: on a node full of processes it takes long. */
  async lookAhead(listed: Listed, nowMs: () => number): Promise<void> {
    const told = [...listed.values()].flatMap(({ answer }) => ('value' in answer ? answer.value : []));
    const known = [...this.#known.values()].flatMap((seen) => [...seen.keys()]);
    let sinceMs = nowMs();
    for (const pid of new Set([...told.map((process) => process.pid), ...known])) {
      this.#looks.at(pid, nowMs());
      if (nowMs() - sinceMs < atAStretchMs) continue;
      await setImmediate();
      sinceMs = nowMs();
    }
  }

  /** The driver was asked anew: looks up whose the processes are now. */
  update(gpus: readonly GpuState[], listed: Listed, nowMs: number): void {
    const given = this.#options.allocations();
    const kubelet = 'reason' in given ? silentKubelet : gpuHolders(given);
    this.#givenAtMs = 'reason' in given ? null : given.readAtMs;
    this.#looks.forgetOld(nowMs);
    for (const gpu of gpus) {
      const answered = answerOfGpu(listed, gpu);
      if (answered) this.#answered.set(keyOf(gpu), answered);
      const now = answered ?? this.#answeredLast(gpu);
      if (now) this.#seen.set(keyOf(gpu), this.#look(gpu, now, kubelet, nowMs));
    }
  }

  view(gpus: readonly GpuState[], nowMs: number): NodeProcesses {
    const allocations = this.#options.allocations();
    const reason = 'reason' in allocations ? allocations.reason : null;
    const ageMs = this.#givenAtMs === null ? null : Math.round(nowMs - this.#givenAtMs);
    return {
      gpus: gpus.map((gpu) => this.#seen.get(keyOf(gpu)) ?? unknown(gpu)),
      podResources: { readable: reason === null, reason, ageMs },
    };
  }

  /** Who was on a GPU that cannot be asked any more is looked at on and on: who cannot end shows only in time. */
  #answeredLast(gpu: GpuState): ListedGpu | undefined {
    const last = this.#answered.get(keyOf(gpu));
    if (last && isGone(gpu)) return { ...last, answer: unanswered(gpu) };
    return (
      last && { ...last, answer: map(last.answer, (list) => list.filter((each) => this.#isThere(gpu, each))) }
    );
  }

  #isThere(gpu: GpuState, { pid }: DriverProcess): boolean {
    const known = this.#known.get(keyOf(gpu))?.get(pid);
    return known !== undefined && isSame(known.onNode, this.#options.onNode(pid));
  }

  #look(gpu: GpuState, { readAtMs, answer }: ListedGpu, kubelet: GpuHolders, nowMs: number): GpuProcesses {
    const before: SeenByPid = this.#known.get(keyOf(gpu)) ?? new Map();
    const isListed = 'value' in answer;
    const listed = (isListed ? answer.value : []).map((process) => this.#see(process, before, nowMs));
    const unlisted = this.#unlisted(listed, before, nowMs);
    const left = unlisted.filter(isHeld);
    // Where nobody is listed it is not known who has ended with the GPU as it should: who is not stuck may be at the next look.
    this.#known.set(keyOf(gpu), byPid([...listed, ...(isListed ? left : unlisted)]));
    const told = [
      ...listed.map((seen) => ({ seen, left: false })),
      ...left.map((seen) => ({ seen, left: true })),
    ];
    const processes = told.map(({ seen: { process, onNode, look, waits }, left }): GpuProcess => {
      const holders = kubelet.ofProcess(gpu, process);
      return { ...process, onNode, holders, left, waitingMs: longestWaitMs(look, waits) };
    });
    return {
      index: gpu.index,
      readAtMs,
      processes: isListed ? { value: processes } : answer,
      stuck: isListed ? [] : processes,
      holders: kubelet.ofGpu(gpu),
      offered: kubelet.offers(gpu),
    };
  }

  #see(process: DriverProcess, before: SeenByPid, nowMs: number): Seen {
    const { pid } = process;
    const onNode = this.#options.onNode(pid);
    const look = this.#looks.at(pid, nowMs);
    const known = before.get(pid);
    const waits = waitsAfter(look, known && isSame(known.onNode, onNode) ? known.waits : undefined);
    return { process, onNode, look, waits };
  }

  /** Those that were listed before and are still there: the same process, not another that has its pid now. */
  #unlisted(listed: readonly Seen[], before: SeenByPid, nowMs: number): Seen[] {
    const now = byPid(listed);
    return [...before].flatMap(([pid, known]) => {
      if (now.has(pid)) return [];
      const seen = this.#see(known.process, before, nowMs);
      return isSame(known.onNode, seen.onNode) ? seen : [];
    });
  }
}

function byPid(seen: readonly Seen[]): SeenByPid {
  return new Map(seen.slice(0, knownAtMost).map((each) => [each.process.pid, each]));
}

function isSame(before: ProcessOnNode, now: ProcessOnNode): boolean {
  return before.startTick === now.startTick;
}

function isHeld({ onNode, waits }: Seen): boolean {
  return waits.size > 0 || heldStates.has(orNull(onNode.state) ?? '');
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
