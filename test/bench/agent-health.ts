import { setTimeout as sleep } from 'node:timers/promises';

import type { FakeNvmlConfig } from '../support/nvml/fake-config.ts';
import { type Agent, fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import { type Benchmark, median } from './bench.ts';

const gpus = 8;
/** Longer than it takes until three threads have hung. */
const lastsMs = 18_000;
const askEveryMs = 20;

/** Each begins with a driver that is well, and an agent that has read it. */
const troubles: Readonly<Record<string, Partial<FakeNvmlConfig>>> = {
  'a GPU hangs': { hangs: [{ gpu: 1 }] },
  'all calls hang': { hangs: [{}] },
  'every call takes 6 s': { delays: [{ ms: 6000 }] },
  'all GPUs are lost': { returns: Array.from({ length: gpus }, (_, gpu) => ({ gpu, code: 15 })) },
  'the driver is unloaded': { driver: 'notLoaded' },
};

export const agentHealth: Benchmark = {
  name: 'agent-health',
  about: 'how long /healthz takes to answer while the driver dies in each of five ways, 2 min',
  whyNot: whyNoAgent,
  async measure(report) {
    for (const [trouble, config] of Object.entries(troubles)) {
      using node = fakeNode(gpus);
      await using agent = await startAgent({ ...node, args: [...node.args, '--sample-interval', '1s'] });
      node.write(config);
      const tookMs = await asked(agent);
      report({ what: `${trouble}: /healthz`, unit: 'ms', runs: [median(tookMs)] });
      report({
        what: `${trouble}: the longest of ${tookMs.length}`,
        unit: 'ms',
        runs: [Math.max(...tookMs)],
        bound: { atMost: 50 },
      });
    }
  },
};

/** @throws Error as soon as it answers that it is not well */
async function asked({ health }: Agent): Promise<number[]> {
  const tookMs: number[] = [];
  const endsAt = performance.now() + lastsMs;
  while (performance.now() < endsAt) {
    const startedMs = performance.now();
    const response = await health('/healthz');
    await response.text();
    tookMs.push(performance.now() - startedMs);
    if (response.status !== 200) throw new Error(`/healthz answered ${response.status}`);
    await sleep(askEveryMs);
  }
  return tookMs;
}
