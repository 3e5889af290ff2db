import { setTimeout as sleep } from 'node:timers/promises';
import type { McpHttpHandler, Server } from '@modelcontextprotocol/server';

import type { Driver, Inquiries } from '../core/driver.ts';
import { firstGpmWindowMs, gpmIsBegun } from '../core/gpm.ts';
import type { Log } from '../core/log.ts';
import type { PciGpu } from '../core/pci.ts';
import { hangAfterMs } from '../core/snapshot.ts';
import { publishEvents } from './event-resource.ts';
import { driverEventsOf } from './events/driver-events.ts';
import { EventBook } from './events/event-book.ts';
import type { GpuSources } from './gpu-metrics.ts';
import { healthFetch } from './health.ts';
import { BurstSchedule, isGpuFault } from './history/burst.ts';
import type { History } from './history/history.ts';
import { Recorder } from './history/recorder.ts';
import { type AgentHttp, agentHttp, type Fetch, loopbackHosts } from './http.ts';
import { type AgentMcp, agentHandler, agentServer } from './mcp.ts';
import { agentMetrics } from './metrics.ts';
import { type BootClock, bootClock, momentOf } from './node-clock.ts';
import type { EventLane, EventListener } from './nvml/event-lane.ts';
import { ProcessBook, type ProcessBookOptions } from './proc/process-book.ts';
import { nodeProcesses } from './proc/process-on-node.ts';
import { processRounds } from './proc/process-rounds.ts';
import { type Sampler, startSampler } from './sampler.ts';

export interface AgentOptions {
  readonly node: string;
  readonly spawnDriver: () => Driver;
  readonly simulated: boolean;
  readonly sampleIntervalMs: number;
  /** The one by which the history and the events are dated, where there are any. */
  readonly clock?: BootClock;
  /** What has happened on the node; without it nothing ever has, and answers say that nobody looks. */
  readonly events?: EventBook;
  /** Reads the kernel log now; without it nobody reads it. */
  readonly lookAtLog?: () => void;
  /** Where what the GPUs do is kept; without it nothing is. */
  readonly history?: History;
  /** Whose the processes on the GPUs are; without it what /proc tells. */
  readonly processes?: ProcessBookOptions;
  /** What the kernel sees on the PCI bus; without it nobody looks. */
  readonly pciGpus?: () => readonly PciGpu[] | null;
  /** Hears the driver's own events in a thread of their own; without it they come from the kernel log alone. */
  readonly eventLane?: (listener: EventListener) => EventLane;
  /** What /metrics tells of GPUs besides our verdicts. */
  readonly gpuSources?: GpuSources;
  readonly log: Log;
}

/** A first sample that takes longer is not waited for: a node with a sick GPU must become ready too. */
const readyMs = 5000;
/** Who can ask only once, or first, is answered when a hang at the start has been seen and the other GPUs read. */
const firstAnswerMs = hangAfterMs + 1000;

/** An answer is true within a second, or says how old it is. */
const inquiryMs = 700;

/** The agent without its sockets: what the compiled program, the demo and the tests all run. */
export interface Agent {
  /** One MCP server, for a connection over stdio. */
  readonly server: () => Server;
  readonly handler: McpHttpHandler;
  /** The guarded MCP endpoint. */
  http(door: Door): AgentHttp;
  /** The probes and metrics; ready once `started` has resolved and until `draining` is called. */
  readonly health: Fetch;
  readonly started: Promise<void>;
  /** Resolves when an answer tells more than that the agent is starting. */
  readonly answerable: Promise<void>;
  draining(): void;
  stop(): void;
}

export interface Door {
  /** Gives the bearer token that is needed now; undefined where none is. */
  readonly token: (() => string) | undefined;
  readonly allowedHosts: readonly string[] | undefined;
  readonly maxInFlight: number;
  readonly responseMs: number;
}

export const loopbackDoor: Pick<Door, 'token' | 'allowedHosts'> = {
  token: undefined,
  allowedHosts: loopbackHosts,
};

export function createAgent(options: AgentOptions, maxBodyBytes: number): Agent {
  const { node, log, simulated } = options;
  const nowMs = () => performance.now();
  const { clock = bootClock() } = options;
  const { events = new EventBook({ ...clock, nowMs: Date.now }), eventLane, history } = options;
  const beside = eventLane && driverEventsOf({ ...options, laneFor: eventLane, book: events });
  const pace = new BurstSchedule(options.sampleIntervalMs);
  const recorder = history && new Recorder(history);
  const sampler = startSampler({
    spawn: options.spawnDriver,
    beside,
    simulated,
    intervalMs: () => pace.intervalMs(nowMs()),
    onRound(snapshot) {
      recorder?.round(snapshot, nowMs(), momentOf(clock));
      listProcesses();
    },
    hangAfterMs,
    nowMs,
    log,
  });
  events.onEvents((_, told) => {
    if (told.some(isGpuFault) && pace.event(nowMs())) sampler.hurry();
  });
  const { context, inquire, listProcesses } = knowledgeOf(sampler, { ...options, nowMs, clock, events });
  const metrics = agentMetrics(context, options.gpuSources);
  const agent: AgentMcp = { node, context, inquire, log, metrics };
  const handler = agentHandler(agent, maxBodyBytes);
  publishEvents(events, handler.bus);
  let ready = false;
  const started = within(sampler.firstSample, readyMs).then(() => {
    ready = true;
  });

  return {
    server: () => agentServer(agent),
    handler,
    http: (door) => agentHttp({ mcp: (request) => handler.fetch(request), log, metrics, ...door }),
    health: healthFetch({ ready: () => ready, snapshot: sampler.snapshot, metrics }),
    started,
    answerable: within(sampler.firstSample, firstAnswerMs),
    draining: () => {
      ready = false;
    },
    stop() {
      sampler.stop();
      void beside?.end();
    },
  };
}

interface KnowledgeOptions extends Pick<AgentOptions, 'processes' | 'history' | 'pciGpus'> {
  readonly nowMs: () => number;
  readonly clock: BootClock;
  readonly events: EventBook;
}

/** All that tools may know, and how more is asked for. */
function knowledgeOf(
  sampler: Sampler,
  { nowMs, clock, events, history, pciGpus, processes: options }: KnowledgeOptions,
): Pick<AgentMcp, 'context' | 'inquire'> & { readonly listProcesses: () => void } {
  const ofNode = { ...nodeProcesses(clock), allocations: () => ({ reason: 'not asked for' }) };
  const processes = new ProcessBook(options ?? ofNode);
  const inquire = async (what: keyof Inquiries) => {
    const kubelet = what === 'processes' ? options?.refresh?.() : undefined;
    await within(
      Promise.all([what === 'gpm' ? inquireGpm(sampler) : sampler.inquire(what), kubelet]),
      inquiryMs,
    );
    if (what !== 'processes') return;
    await processes.lookAhead(sampler.answers().processes, nowMs);
    processes.update(sampler.snapshot().gpus, sampler.answers().processes, nowMs());
  };
  return {
    context() {
      const snapshot = sampler.snapshot();
      return {
        snapshot,
        nowMs: nowMs(),
        clock: clock.now(),
        events,
        processes: processes.view(snapshot.gpus, nowMs()),
        peers: sampler.answers().peers,
        gpm: sampler.answers().gpm,
        pciGpus: pciGpus?.() ?? null,
        ...(history && { history }),
      };
    },
    inquire,
    listProcesses: processRounds(() => inquire('processes'), nowMs),
  };
}

/** The first time, or after a pause, it takes two samples. */
async function inquireGpm(sampler: Sampler): Promise<void> {
  await sampler.inquire('gpm');
  if (![...sampler.answers().gpm.values()].some(({ answer }) => gpmIsBegun(answer))) return;
  await sleep(firstGpmWindowMs);
  await sampler.inquire('gpm');
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
