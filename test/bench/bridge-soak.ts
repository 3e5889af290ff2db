import { populate } from '../cluster/fleet-of-20.ts';
import { startCluster } from '../support/cluster/cluster.ts';
import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';
import { type AgentProcess, compiledAgent } from '../support/fleet/agents.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import type { Benchmark, Figure } from './bench.ts';
import { type BridgeHost, type BridgeStart, callTool, withBridge } from './bridge-host.ts';
import { type Handles, handlesOf, residentOf } from './proc.ts';

export interface SoakPlan {
  readonly calls: number;
  /** Until then code is compiled and heaps find their size: what is held against the end is how it stands there. */
  readonly warmCalls: number;
}

const node = 'gpu-1';
/** So many are in progress: the bridge is never idle, and a host's several agents are like that. */
const callers = 4;
/** Heaps breathe, and a run ends anywhere between two collections. Of 80,000 calls, a leak of 400 bytes each is beyond this. */
const memoryBound = { atMost: 1.2 };

/** Whether a bridge and its agent grow with use. */
export function bridgeSoak(plan: SoakPlan): Benchmark {
  return {
    name: 'bridge-soak',
    about: `${plan.calls} calls through one bridge and one agent, named by --node`,
    whyNot: () => (process.platform === 'linux' ? undefined : '/proc is needed to count handles'),
    measure: async (report) => {
      const agent = await compiledAgent(fleetScenario([node]).scenario, node);
      try {
        const args = ['--node', `${node}=http://127.0.0.1:${agent.port}`];
        await soak('by --node', { args }, agent, plan, report);
      } finally {
        await agent.stop();
      }
    },
  };
}

/** The same over a port-forward, where a cluster can be had. */
export function bridgeSoakForwarded(plan: SoakPlan): Benchmark {
  return {
    name: 'bridge-soak-forwarded',
    about: `${plan.calls} calls through one bridge and one agent, by a real port-forward`,
    whyNot: whyNotHere,
    measure: async (report) => {
      await ensurePrograms('1.34');
      const cluster = await startCluster({ version: '1.34' });
      try {
        const agent = await compiledAgent(fleetScenario([node]).scenario, node);
        try {
          await populate(cluster, new Map([[node, agent]]));
          const env = { KUBECONFIG: cluster.kubeconfig('viewer') };
          await soak('by port-forward', { env }, agent, plan, report);
        } finally {
          await agent.stop();
        }
      } finally {
        await cluster.stop();
      }
    },
  };
}

async function soak(
  road: string,
  start: BridgeStart,
  agent: AgentProcess,
  { calls, warmCalls }: SoakPlan,
  report: (figure: Figure) => void,
): Promise<void> {
  await withBridge(start, async (host) => {
    const pids = { bridge: await host.pid, agent: agent.pid };
    await callMany(host, warmCalls);
    const warm = stateOf(pids);
    const startedMs = performance.now();
    await callMany(host, calls - warmCalls);
    const tookMs = performance.now() - startedMs;
    const end = stateOf(pids);
    const perSecond = ((calls - warmCalls) / tookMs) * 1000;
    report({ what: `${calls} calls ${road}, ${callers} callers`, unit: 'calls/s', runs: [perSecond] });
    for (const who of ['bridge', 'agent'] as const)
      tell(`${who}, ${calls} calls ${road}`, warm[who], end[who], report);
  });
}

async function callMany(host: BridgeHost, calls: number): Promise<void> {
  let left = calls;
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      const { isError, content } = await callTool(host, 'get_gpu_health');
      const text = content[0]?.text ?? '';
      if (isError || !text.startsWith('success: 1 of 1 GPU node answered'))
        throw new Error(`answered: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

interface State {
  readonly memoryMb: number;
  readonly handles: Handles;
}

function stateOf(pids: { readonly bridge: number; readonly agent: number }) {
  const of = (pid: number): State => ({ memoryMb: residentOf(pid).allMb, handles: handlesOf(pid) });
  return { bridge: of(pids.bridge), agent: of(pids.agent) };
}

function tell(what: string, warm: State, end: State, report: (figure: Figure) => void): void {
  const gained = (kind: keyof Handles) => [end.handles[kind] - warm.handles[kind]];
  report({ what: `${what}: memory when warm`, unit: 'MB', runs: [warm.memoryMb] });
  report({ what: `${what}: memory at the end`, unit: 'MB', runs: [end.memoryMb] });
  const growth = end.memoryMb / warm.memoryMb;
  report({ what: `${what}: memory, end over warm`, unit: 'ratio', runs: [growth], bound: memoryBound });
  report({ what: `${what}: handles at the end`, unit: 'count', runs: [end.handles.all] });
  report({ what: `${what}: handles gained`, unit: 'count', runs: gained('all'), bound: { atMost: 0 } });
  report({ what: `${what}: sockets gained`, unit: 'count', runs: gained('sockets'), bound: { atMost: 0 } });
}
