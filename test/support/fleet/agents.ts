import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scenario } from '../../../src/simulate/scenario.ts';
import { agentBinary } from '../build.ts';
import { atExit } from '../cluster/clean-up.ts';
import { freePort } from '../free-port.ts';
import { buildFakeNvml, writeFakeNvml } from '../nvml/fake-nvml.ts';
import { toFakeNvml } from '../scenario/to-fake-nvml.ts';
import type { RunningAgent } from './simulated-agent.ts';

/** One that is a process of its own. */
export interface AgentProcess extends RunningAgent {
  readonly pid: number;
}

/** The compiled agent on the C fake: a process of its own, as on a node. */
export async function compiledAgent(
  scenario: Scenario,
  node: string,
  { nodeName = node }: { nodeName?: string } = {},
): Promise<AgentProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const fake = join(folder, 'nvml.conf');
  writeFakeNvml(fake, toFakeNvml(scenario, node, 0));
  const port = await freePort();
  const child = spawn(agentBinary, ['--port', String(port), '--nvml-library', buildFakeNvml()], {
    cwd: folder,
    env: { FAKE_NVML_CONFIG: fake, NODE_NAME: nodeName },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const end = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const callOff = atExit(end);
  const stop = async () => {
    callOff();
    end();
    await gone;
  };
  try {
    await ready(child);
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { port, pid: child.pid ?? 0, stop };
}

/** What it logs later, a line for each call, is read and thrown away. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const listen = (chunk: Buffer) => {
      log += chunk;
      if (!log.includes('"msg":"ready"')) return;
      child.stderr?.off('data', listen).resume();
      resolve();
    };
    child.stderr?.on('data', listen);
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${log}`)));
  });
}
