import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { compiledAgent } from '../support/fleet/agents.ts';
import { blackHole } from '../support/fleet/listeners.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import { type Benchmark, type Figure, percentile } from './bench.ts';
import { type BridgeHost, callTool, initialize, startBridge } from './bridge-host.ts';
import { isAlive, type Process, processOf } from './proc.ts';

/** One way in which a host's end shows. Resolves when the bridge is seen to have ended. */
interface Road {
  readonly name: string;
  readonly underParent?: boolean;
  /** The end comes while a call is waiting for a node that never answers. */
  readonly midCall?: boolean;
  readonly end: (host: BridgeHost) => unknown;
}

const roads: readonly Road[] = [
  { name: 'stdin ends', end: ({ child }) => child.stdin?.end() },
  // Its stdin stays open, as this process holds the other end: only the parent's death shows.
  { name: 'its parent is killed', underParent: true, end: ({ child }) => child.kill('SIGKILL') },
  { name: 'SIGTERM', end: ({ child }) => child.kill('SIGTERM') },
  { name: 'stdin ends in mid-call', midCall: true, end: ({ child }) => child.stdin?.end() },
  { name: 'stdout is closed', end: closeStdout },
];

/** Gone long before, by any road; whoever is still there is ended by us, and counted. */
const patienceMs = 10_000;

/** It shows by what the bridge writes; an answer to a single question may have been on its way before the pipe was closed. */
async function closeStdout(host: BridgeHost): Promise<void> {
  host.child.stdout?.destroy();
  const asking = setInterval(() => host.ask('ping').catch(() => undefined), 20);
  await once(host.child, 'exit');
  clearInterval(asking);
}

/** Whether bridges outlive their hosts. */
export function bridgeLives(count: number, atOnce: number): Benchmark {
  return {
    name: 'bridge-lives',
    about: `${count} bridges with open streams, each ended by another road`,
    whyNot: () => (process.platform === 'linux' ? undefined : '/proc is needed to count processes'),
    measure: (report) => measure(count, atOnce, report),
  };
}

interface Nodes {
  readonly well: string;
  readonly dead: string;
}

async function measure(count: number, atOnce: number, report: (figure: Figure) => void): Promise<void> {
  const { scenario } = fleetScenario(['gpu-1']);
  const [agent, hole] = [await compiledAgent(scenario, 'gpu-1'), await blackHole()];
  const nodes = { well: `gpu-1=http://127.0.0.1:${agent.port}`, dead: `gpu-2=http://127.0.0.1:${hole.port}` };
  const lives: Life[] = [];
  const startedMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const road = roads[next % roads.length];
      next += 1;
      if (road) lives.push(await live(road, nodes));
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
  } finally {
    hole.close();
    await agent.stop();
  }
  tell(lives, (performance.now() - startedMs) / 1000, report);
}

interface Life {
  readonly road: string;
  readonly endedAfterMs: number;
  readonly left: boolean;
}

/** A handshake and an answer, so that a stream is open; then the end. */
async function live({ name, underParent = false, midCall = false, end }: Road, nodes: Nodes): Promise<Life> {
  const named = [nodes.well, ...(midCall ? [nodes.dead] : [])].flatMap((node) => ['--node', node]);
  const host = startBridge({ args: named, underParent });
  const bridge = processOf(await host.pid);
  try {
    await initialize(host);
    await (midCall ? oneOfTwoAnswered(host) : callTool(host, 'get_gpu_health'));
    const leftMs = performance.now();
    // A child's exit is told at once; a grandchild's shows by its stdout, which it alone holds once its parent is gone.
    const gone = underParent ? host.ended : once(host.child, 'exit');
    void end(host);
    await Promise.race([gone, sleep(patienceMs, undefined, { ref: false })]);
    const endedAfterMs = performance.now() - leftMs;
    return { road: name, endedAfterMs, left: !(await hasGone(bridge)) };
  } finally {
    host.child.kill('SIGKILL');
    if (isAlive(bridge)) process.kill(bridge.pid, 'SIGKILL');
  }
}

/** The one that is well has answered, and the call waits for the other. */
function oneOfTwoAnswered(host: BridgeHost): Promise<void> {
  return new Promise((resolve) => {
    host.ask('tools/call', { name: 'get_gpu_health', arguments: {} }, resolve).catch(() => undefined);
  });
}

/** Its handles are closed before the kernel has done with it. */
async function hasGone(bridge: Process): Promise<boolean> {
  const giveUpMs = performance.now() + patienceMs;
  while (isAlive(bridge)) {
    if (performance.now() > giveUpMs) return false;
    await sleep(10);
  }
  return true;
}

function tell(lives: readonly Life[], wholeS: number, report: (figure: Figure) => void): void {
  const left = lives.filter((life) => life.left).length;
  report({
    what: `processes left by ${lives.length} bridges`,
    unit: 'count',
    runs: [left],
    bound: { atMost: 0 },
  });
  for (const { name } of roads) {
    const tookMs = lives.filter(({ road }) => road === name).map(({ endedAfterMs }) => endedAfterMs);
    report({ what: `the end of a bridge when ${name}: p50`, unit: 'ms', runs: [percentile(tookMs, 50)] });
    const slowest = { what: `the end of a bridge when ${name}: slowest`, unit: 'ms' } as const;
    report({ ...slowest, runs: [Math.max(...tookMs)], bound: { atMost: 1000 } });
  }
  report({ what: `${lives.length} lives`, unit: 's', runs: [wholeS] });
}
