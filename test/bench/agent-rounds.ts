import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { dataOf } from '../support/agent-client.ts';
import type { FakeNvmlConfig } from '../support/nvml/fake-config.ts';
import { type Agent, type FakeNode, fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import { type Benchmark, median } from './bench.ts';
import { handlesOf, residentOf } from './proc.ts';

const gpus = 8;
const rounds = 10_000;
/** Until then code is compiled and heaps find their size: what is held against the end is how it stands there. */
const warmRounds = 2000;
/** The shortest that the agent takes. */
const interval = ['--sample-interval', '10ms'];
const givenUpAfterMs = 600_000;
const lookEveryMs = 1000;

export const agentRounds: Benchmark = {
  name: 'agent-rounds',
  about: `${rounds} rounds of sampling 8 GPUs at full speed, while the driver gets into every trouble that passes, 3 min`,
  whyNot: whyNoAgent,
  async measure(report) {
    using node = fakeNode(gpus);
    await using agent = await startAgent({ ...node, args: [...node.args, ...interval] });
    const looks: Look[] = [];
    await sampled(agent, node, warmRounds);
    const warm = countsOf(agent);
    await sampled(agent, node, rounds, (round) =>
      looks.push({ round, anonMb: residentOf(agent.pid).anonMb }),
    );
    const end = countsOf(agent);
    const half = (warmRounds + rounds) / 2;
    const [first, second] = [
      looks.filter(({ round }) => round < half),
      looks.filter(({ round }) => round >= half),
    ];
    report({
      what: `RssAnon of rounds ${half} to ${rounds}, of that of ${warmRounds} to ${half}`,
      unit: 'ratio',
      runs: [medianMb(second) / medianMb(first)],
      bound: { atMost: 1.2 },
    });
    report({ what: 'RssAnon, each second', unit: 'MB', runs: looks.map(({ anonMb }) => anonMb) });
    for (const what of ['threads', 'handles'] as const)
      report({
        what: `${what} more at the end`,
        unit: 'count',
        runs: [end[what] - warm[what]],
        bound: { atMost: 0 },
      });
    report({ what: 'threads at the end', unit: 'count', runs: [end.threads] });
  },
};

/** The heap breathes: only many looks together tell whether it grows. */
interface Look {
  readonly round: number;
  readonly anonMb: number;
}

function medianMb(looks: readonly Look[]): number {
  return median(looks.map(({ anonMb }) => anonMb));
}

function countsOf({ pid }: Agent) {
  return { threads: readdirSync(`/proc/${pid}/task`).length, handles: handlesOf(pid).all };
}

/** Until so many rounds are over, and the driver is well. */
async function sampled(
  agent: Agent,
  node: FakeNode,
  count: number,
  looked: (round: number) => void = () => undefined,
): Promise<void> {
  const giveUpAt = performance.now() + givenUpAfterMs;
  let round = await roundsOf(agent);
  for (let look = 0; round < count; look++, round = await roundsOf(agent)) {
    looked(round);
    if (performance.now() > giveUpAt) throw new Error(`not ${count} rounds in ${givenUpAfterMs} ms`);
    const trouble = troubles[look % troubles.length] ?? {};
    node.write({ ...trouble, ...('generation' in trouble && { generation: look }) });
    await sleep(lookEveryMs);
  }
  node.write({});
  await sleep(2 * lookEveryMs);
}

/** Each passes with the next look; every other one is none. A new generation is a driver that was loaded anew. */
const troubles: readonly Partial<FakeNvmlConfig>[] = [
  {},
  { returns: [{ gpu: 3, code: 15 }] },
  {},
  { returns: [{ symbol: 'nvmlDeviceGetTemperature', code: 999 }] },
  {},
  { events: [{ number: 1, gpu: 2, type: 8, data: 79 }] },
  {},
  { driver: 'notLoaded' },
  { generation: 1 },
  {},
];

/** Of the GPU that was seen in most: each is a row of its history. */
async function roundsOf({ url }: Agent): Promise<number> {
  const { gpus: timelines } = (await dataOf(url, 'get_gpu_timeline', { minutes: 1 })) as unknown as {
    readonly gpus: readonly { readonly newestRow: number }[];
  };
  return Math.max(0, ...timelines.map(({ newestRow }) => newestRow));
}
