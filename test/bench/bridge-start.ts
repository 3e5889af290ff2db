import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

import { compiledAgent } from '../support/fleet/agents.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import { nodeVersions, npmPrograms } from '../support/npm-programs.ts';
import type { Benchmark, Figure } from './bench.ts';
import { callTool, initialize, machineNode, startBridge, withBridge } from './bridge-host.ts';
import { openRows, type Rows } from './bridge-rows.ts';

/** For `initialize` and `tools/list`, which touch no cluster. */
const bound = { atMost: 130 };

/** What a person waits for when a host starts the bridge. */
export function bridgeStart(rounds: number): Benchmark {
  return {
    name: 'bridge-start',
    about: `process start to the first answers, ${rounds} times on each Node`,
    whyNot: () => (process.platform === 'linux' ? undefined : `the agent asked runs on Linux only`),
    measure: (report) => measure(rounds, report),
  };
}

async function measure(rounds: number, report: (figure: Figure) => void): Promise<void> {
  const { scenario } = fleetScenario(['gpu-1']);
  const agent = await compiledAgent(scenario, 'gpu-1');
  const rows = openRows();
  try {
    const nodes = await nodesHere();
    for (let round = 0; round < rounds; round += 1) {
      for (const node of nodes) await startOn(node, rows); // in turn, so that a slow minute is everybody's
      rows.add('start → first answer, one agent by --node', 'ms', await firstAnswer(agent.port));
    }
  } finally {
    await agent.stop();
  }
  rows.report(report);
}

interface NodeProgram {
  readonly path: string;
  /** Such as `v20.18.1`. */
  readonly version: string;
}

/** The machine's, and those of the versions that we promise as far as the tests have fetched them. */
async function nodesHere(): Promise<NodeProgram[]> {
  const paths = [machineNode, ...nodeVersions.map(npmPrograms.node).filter(existsSync)];
  const programs = await Promise.all(paths.map(async (path) => ({ path, version: await versionOf(path) })));
  return programs.filter(({ version }, at) => programs.findIndex((each) => each.version === version) === at);
}

async function versionOf(path: string): Promise<string> {
  const child = spawn(path, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [text] = await once(child.stdout, 'data');
  return String(text).trim();
}

async function startOn({ path, version }: NodeProgram, rows: Rows): Promise<void> {
  const bareMs = await bareStart(path);
  const { initializeMs, toolsListMs } = await start(path);
  rows.add(`start → initialize, Node ${version}`, 'ms', initializeMs, bound);
  rows.add(`start → tools/list, Node ${version}`, 'ms', toolsListMs, bound);
  rows.add(`\`node -e 0\`, Node ${version}`, 'ms', bareMs);
  rows.add(`start → initialize over \`node -e 0\`, Node ${version}`, 'ratio', initializeMs / bareMs);
}

async function start(node: string): Promise<{ initializeMs: number; toolsListMs: number }> {
  const host = startBridge({ node });
  const sinceStart = () => performance.now() - host.startedMs;
  try {
    const initializeMs = await initialize(host).then(sinceStart);
    const toolsListMs = await host.ask('tools/list').then(sinceStart); // as hosts do, once they have been greeted
    return { initializeMs, toolsListMs };
  } finally {
    await host.leave();
  }
}

async function bareStart(node: string): Promise<number> {
  const startedMs = performance.now();
  await once(spawn(node, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return performance.now() - startedMs;
}

function firstAnswer(port: number): Promise<number> {
  return withBridge({ args: ['--node', `gpu-1=http://127.0.0.1:${port}`] }, async (host) => {
    const { isError, content } = await callTool(host, 'get_gpu_health');
    if (isError) throw new Error(`no answer: ${content[0]?.text}`);
    return performance.now() - host.startedMs;
  });
}
