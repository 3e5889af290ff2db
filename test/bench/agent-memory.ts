import { setTimeout as sleep } from 'node:timers/promises';

import { callMany, manyCalls } from './agent-load.ts';
import { fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import type { Benchmark } from './bench.ts';
import { residentOf } from './proc.ts';
import { whyNoWrk } from './wrk.ts';

const runs = 5;
const gpus = 8;
/** What is done once at the start is over by then. */
const idleMs = 2000;
const callsS = 60;

export const agentMemory: Benchmark = {
  name: 'agent-memory',
  about: 'resident memory without a limit, idle and after 10,000 calls, 8 GPUs, half a minute',
  whyNot: () => whyNoAgent() ?? whyNoWrk(),
  async measure(report) {
    const idle = [];
    const loaded = [];
    for (let run = 0; run < runs; run++) {
      using node = fakeNode(gpus);
      await using agent = await startAgent(node);
      await sleep(idleMs);
      idle.push(residentOf(agent.pid));
      const { answers, failed } = await callMany(agent, node, { forS: callsS });
      if (failed > 0 || answers < manyCalls)
        throw new Error(`${answers} of ${manyCalls} calls, ${failed} failed`);
      loaded.push(residentOf(agent.pid));
    }
    for (const [when, sizes] of [
      ['idle', idle],
      ['after 10,000 calls', loaded],
    ] as const) {
      report({ what: `agent ${when}: RssAnon`, unit: 'MB', runs: sizes.map(({ anonMb }) => anonMb) });
      report({ what: `agent ${when}: RssFile`, unit: 'MB', runs: sizes.map(({ fileMb }) => fileMb) });
    }
  },
};
