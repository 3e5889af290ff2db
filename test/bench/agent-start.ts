import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { agentBinary } from '../support/build.ts';
import { freePort } from '../support/free-port.ts';
import { oneshot } from './agent-oneshot.ts';
import { type FakeNode, fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import type { Benchmark } from './bench.ts';

const runs = 15;
const gpus = 8;

export const agentStart: Benchmark = {
  name: 'agent-start',
  about: 'process start → ready, and → answer of a oneshot, 8 GPUs, file in the page cache, 15 s',
  whyNot: whyNoAgent,
  async measure(report) {
    using node = fakeNode(gpus);
    const bound = { atMost: 150 };
    report({
      what: 'start → /readyz 200, 8 GPUs',
      unit: 'ms',
      runs: await repeated(() => start(node)),
      bound,
    });
    const alone = await repeated(() => oneshot(node, undefined));
    report({ what: 'oneshot alone: start → answer', unit: 'ms', runs: alone });
    await using agent = await startAgent(node);
    const beside = await repeated(() => oneshot(node, agent.port));
    report({ what: 'oneshot beside an agent: start → answer', unit: 'ms', runs: beside });
  },
};

/** The first two are thrown away: they may find less in the page cache. */
async function repeated(measure: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let run = -2; run < runs; run++) {
    const value = await measure();
    if (run >= 0) values.push(value);
  }
  return values;
}

/**
 * Until /readyz has been answered with 200, which is what a kubelet sees. It is asked once the log says that the agent
 * is ready: asking all the time would take the processor from it.
 */
async function start({ args, env }: FakeNode): Promise<number> {
  const [port, healthPort] = [await freePort(), await freePort()];
  const ports = ['--port', `${port}`, '--health-port', `${healthPort}`];
  const startedMs = performance.now();
  const child = spawn(agentBinary, [...ports, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      if (!line.includes('"msg":"ready"')) continue;
      const { status } = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
      const ms = performance.now() - startedMs;
      if (status !== 200) throw new Error(`the agent says that it is ready, and /readyz answers ${status}`);
      return ms;
    }
    throw new Error('the agent has ended before it was ready');
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
