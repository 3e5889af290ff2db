import { setTimeout as sleep } from 'node:timers/promises';

import { type BridgeAnswer, callTool } from '../../src/bridge/bridge.ts';
import type { Envelope } from '../../src/bridge/fleet/envelope.ts';
import { createFleet, type Fleet, type Roster } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits, type Limits } from '../../src/bridge/fleet/limits.ts';
import type { Member } from '../../src/bridge/fleet/member.ts';
import { createLog } from '../../src/core/log.ts';
import { type Agent, createAgent, loopbackDoor } from '../../src/server/agent.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { health } from '../../src/tools/health.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** Each node has as many GPUs as its place in the alphabet: no two answers are alike. */
const nodeNames = ['a', 'b', 'c', 'd'] as const;
export type NodeName = (typeof nodeNames)[number];

const scenario = parseScenario(
  JSON.stringify({
    nodes: nodeNames.map((name, at) => ({ name, gpus: [{ model: 'H100', count: at + 1 }] })),
  }),
  'test.json',
);

type LogLine = Readonly<Record<string, unknown>>;

/** As users have them: for tests of nodes that give no answer. */
export const productLimits: Partial<Limits> = {
  attemptMs: defaultLimits.attemptMs,
  firstAttemptMs: defaultLimits.firstAttemptMs,
  nodeMs: defaultLimits.nodeMs,
  fanOutMs: defaultLimits.fanOutMs,
};

/**
 * For all other tests: a machine that is busy with something else makes no good node late, and probes that would
 * disturb what is counted come only where a test asks for them.
 */
const patientLimits: Limits = {
  ...defaultLimits,
  attemptMs: 8000,
  firstAttemptMs: 10_000,
  nodeMs: 12_000,
  fanOutMs: 15_000,
  firstProbeMs: 600_000,
  lastProbeMs: 600_000,
  keepWarmMs: 600_000,
};

export interface TestFleetOptions {
  readonly limits?: Partial<Limits>;
  readonly token?: string;
  readonly agentToken?: string;
  readonly withoutAgent?: Roster['withoutAgent'];
  readonly member?: (member: Member) => Member;
}

export interface TestFleet {
  readonly nodes: Readonly<Record<NodeName, FaultProxy>>;
  readonly fleet: Fleet;
  readonly bridgeLog: readonly LogLine[];
  readonly agentLog: readonly LogLine[];
  /** Who is there from now on. */
  enlist(roster: (all: readonly Member[]) => Promise<Roster> | Roster): void;
  call(tool?: Tool, args?: object, options?: { signal?: AbortSignal }): Promise<Called>;
}

export interface Called extends BridgeAnswer {
  readonly envelope: Envelope;
  /** Node → number of GPUs in its answer: what was asked for, not what the text says. */
  readonly gpus: Readonly<Record<string, number>>;
  readonly progress: readonly (readonly [number, number])[];
}

/** Four real agents on simulated GPUs behind proxies that can misbehave, and a fleet that asks them over real sockets. */
export async function startTestFleet(
  onTestFinished: (end: () => Promise<void>) => void,
  options: TestFleetOptions = {},
): Promise<TestFleet> {
  const bridgeLog: LogLine[] = [];
  const agentLog: LogLine[] = [];
  const agents = nodeNames.map((node) => startAgent(node, agentLog));
  const { agentToken } = options;
  const token = agentToken === undefined ? undefined : () => agentToken;
  const door = { ...loopbackDoor, token, maxInFlight: 32, responseMs: 90_000 };
  const proxies = await Promise.all(agents.map((agent) => startFaultProxy(agent.http(door).fetch)));
  await Promise.all(agents.map(({ started }) => started));
  const { member = (same) => same, withoutAgent = [] } = options;
  const members = proxies.map(({ origin }, at) =>
    member({ name: nodeNames[at] ?? '', key: `key-${at}`, origin, dial: undefined }),
  );
  let roster: (all: readonly Member[]) => Promise<Roster> | Roster = (all) => everyone(all, withoutAgent);
  const fleet = createFleet({
    roster: async () => roster(members),
    token: options.token,
    limits: { ...patientLimits, ...options.limits },
    log: createLog('debug', (line) => bridgeLog.push(JSON.parse(line))),
  });
  onTestFinished(async () => {
    fleet.close();
    for (const agent of agents) agent.stop();
    await Promise.all(proxies.map((proxy) => proxy.down()));
  });
  return {
    nodes: Object.fromEntries(proxies.map((proxy, at) => [nodeNames[at], proxy])) as TestFleet['nodes'],
    fleet,
    bridgeLog,
    agentLog,
    enlist: (own) => {
      roster = own;
    },
    call: (tool = health, args = {}, { signal = new AbortController().signal } = {}) =>
      call(fleet, tool, args, signal),
  };
}

export function everyone(members: readonly Member[], withoutAgent: Roster['withoutAgent'] = []): Roster {
  return { members, withoutAgent, complete: true, notes: [] };
}

/** Waits until it holds; a busy machine may take long, a failure must end. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`not in 20 s: ${what}`);
    await sleep(20);
  }
}

function startAgent(node: string, lines: LogLine[]): Agent {
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const spawnDriver = () => simulatedDriver({ scenario, node, nowMs });
  const log = createLog('debug', (line) => lines.push(JSON.parse(line)));
  return createAgent({ node, spawnDriver, simulated: true, sampleIntervalMs: 1000, log }, 256 * 1024);
}

async function call(fleet: Fleet, tool: Tool, args: object, signal: AbortSignal): Promise<Called> {
  const progress: (readonly [number, number])[] = [];
  const onProgress = (done: number, total: number) => void progress.push([done, total]);
  const answer = await callTool(fleet, tool, { detail: 'full', ...args }, { signal, onProgress });
  const rows = (answer.structured['rows'] ?? []) as { node?: string; gpu?: object }[];
  const gpus: Record<string, number> = {};
  for (const { node, gpu } of rows) if (node && gpu) gpus[node] = (gpus[node] ?? 0) + 1;
  return { ...answer, envelope: answer.structured as unknown as Envelope, gpus, progress };
}
