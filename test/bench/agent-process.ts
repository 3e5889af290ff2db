import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { agentBinary } from '../support/build.ts';
import { freePort } from '../support/free-port.ts';
import type { FakeNvmlConfig } from '../support/nvml/fake-config.ts';
import { buildFakeNvml, h100, writeFakeNvml } from '../support/nvml/fake-nvml.ts';
import { diesWithUs, temporaryFolder } from './processes.ts';

/** Why the agent cannot be measured here, or undefined where it can. */
export function whyNoAgent(): string | undefined {
  const here = `${process.platform}-${process.arch}`;
  return here === 'linux-x64' ? undefined : `the agent is built for linux-x64; this is ${here}`;
}

/** What an agent needs to be given to find so many healthy H100 on the C fake. */
export interface FakeNode extends Disposable {
  readonly gpus: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Changes what the driver says from now on; the values that are not given are those of healthy GPUs. */
  write(values: Partial<FakeNvmlConfig>): void;
}

export function fakeNode(gpus: number): FakeNode {
  const { folder, ...temporary } = temporaryFolder();
  const config = join(folder, 'config');
  const write = (values: Partial<FakeNvmlConfig>) =>
    writeFakeNvml(config, {
      driverVersion: '580.126.20',
      cudaVersion: 13_000,
      gpus: Array.from({ length: gpus }, (_, index) => h100(index)),
      ...values,
    });
  write({});
  return {
    gpus,
    write,
    args: ['--nvml-library', buildFakeNvml()],
    env: { FAKE_NVML_CONFIG: config },
    ...temporary,
  };
}

/** Which copy of the agent's file is run, and where. */
export interface Place {
  readonly program?: string;
  /** `cgroup.procs` of the cgroup that it shall run in. */
  readonly cgroupProcs?: string;
}

export interface Agent extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** GET of a path of the health listener. */
  health(path: string): Promise<Response>;
  /** Tool calls so far, by outcome: `ok` or a fault's code. */
  calls(): Promise<Readonly<Record<string, number>>>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<unknown>;
}

/**
 * As under a container runtime, its log goes through a pipe to another process, which is in no cgroup of ours. The
 * first lines are kept, for who must know why it did not start.
 */
const launcher =
  'exec 2> >(head -c 10000; exec cat > /dev/null); [ -z "$1" ] || echo $$ > "$1"; shift; exec "$@"';

/**
 * Starts the agent and waits until it is ready.
 *
 * @throws Error when it is not ready in time, or has ended
 */
export async function startAgent(
  node: FakeNode,
  { program = agentBinary, cgroupProcs = '' }: Place = {},
  readyWithinMs = 20_000,
): Promise<Agent> {
  const [port, healthPort] = [await freePort(), await freePort()];
  const args = [program, '--port', `${port}`, '--health-port', `${healthPort}`, ...node.args];
  const child = spawn(...diesWithUs('bash', ['-c', launcher, 'bash', cgroupProcs, ...args]), {
    env: { PATH: process.env['PATH'], ...node.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let firstLines = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (firstLines += text));
  const ended = once(child, 'close');
  const health = (path: string) => fetch(`http://127.0.0.1:${healthPort}${path}`);
  const agent: Agent = {
    pid: child.pid ?? 0,
    port,
    url: `http://127.0.0.1:${port}/mcp`,
    health,
    calls: async () => outcomesIn(await (await health('/metrics')).text()),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  try {
    await untilReady(child, `http://127.0.0.1:${healthPort}/readyz`, readyWithinMs);
    return agent;
  } catch (cause) {
    await agent[Symbol.asyncDispose]();
    throw new Error(`${(cause as Error).message}: ${firstLines}`, { cause });
  }
}

async function untilReady(child: ChildProcess, url: string, withinMs: number): Promise<void> {
  const late = AbortSignal.timeout(withinMs);
  while (!late.aborted) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error('the agent has ended before it was ready');
    const response = await fetch(url, { signal: late }).catch(() => undefined);
    if (response?.status === 200) return;
    await sleep(20);
  }
  throw new Error(`the agent is not ready after ${withinMs} ms`);
}

function outcomesIn(metrics: string): Record<string, number> {
  const outcomes: Record<string, number> = {};
  for (const [, outcome = '', calls] of metrics.matchAll(
    /^k8s_gpu_mcp_calls_total\{.*outcome="(\w+)"\} (\d+)$/gm,
  ))
    outcomes[outcome] = (outcomes[outcome] ?? 0) + Number(calls);
  return outcomes;
}
