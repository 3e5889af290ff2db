import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import type { Benchmark } from './bench.ts';
import { cpuMs } from './proc.ts';
import { temporaryFolder } from './processes.ts';

const gpus = 8;
const runs = 3;
/** What is done once at the start is over by then. */
const warmMs = 5000;
/** Six samples, and one of the readings that are taken once a minute. */
const watchedMs = 60_000;

export const agentIdle: Benchmark = {
  name: 'agent-idle',
  about:
    'processor time of an agent that nobody asks, at the default interval, with everything on, 8 GPUs, 3 min',
  whyNot: whyNoAgent,
  async measure(report) {
    const shares: number[] = [];
    for (let run = 0; run < runs; run++) {
      using node = fakeNode(gpus);
      using history = temporaryFolder();
      const everything = ['--history-dir', join(history.folder, 'history'), '--metrics-gpu', ...kernelLog];
      await using agent = await startAgent({ ...node, args: [...node.args, ...everything] });
      await sleep(warmMs);
      const [startedMs, before] = [performance.now(), cpuMs(agent.pid)];
      await sleep(watchedMs);
      shares.push((100 * (cpuMs(agent.pid) - before)) / (performance.now() - startedMs));
    }
    report({
      what: 'agent idle, the C fake included: of one core',
      unit: '%',
      runs: shares,
      bound: { atMost: 1 },
    });
  },
};

/** It takes root. */
const kernelLog = process.getuid?.() === 0 ? ['--kernel-log'] : [];
