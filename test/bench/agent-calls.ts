import { count } from '../../src/core/words.ts';
import { callsFor } from './agent-load.ts';
import { type Agent, type FakeNode, fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import { bridgeCall, type HttpRequest, otherTools, textCall, tools } from './agent-requests.ts';
import type { Benchmark, Bound, Figure } from './bench.ts';
import { whyNoWrk } from './wrk.ts';

const runs = 5;
const runS = 3;
const warmUpS = 3;
const fleets = [1, 8, 16];
/** The node that the bound is for. */
const boundGpus = 8;
const bound: Bound = { atLeast: 6000 };

export const agentCalls: Benchmark = {
  name: 'agent-calls',
  about: 'the compiled agent on the C fake under wrk with 8 connections, 4 minutes',
  whyNot: () => whyNoAgent() ?? whyNoWrk(),
  async measure(report) {
    for (const gpus of fleets) {
      using node = fakeNode(gpus);
      await using agent = await startAgent(node);
      for (const tool of tools)
        await measure(`${tool}, ${count(gpus, 'GPU')}`, bridgeCall(tool), {
          agent,
          node,
          report,
          ...(gpus === boundGpus && { bound }),
        });
      if (gpus !== boundGpus) continue;
      const measured = { agent, node, report, bound };
      await measure(`get_gpu_health in words, ${gpus} GPUs`, textCall('get_gpu_health'), measured);
      await measure(`get_gpu_metrics, ${gpus} GPUs`, bridgeCall('get_gpu_metrics'), measured);
      await measure(`get_gpu_metrics in words, ${gpus} GPUs`, textCall('get_gpu_metrics'), measured);
      for (const tool of otherTools)
        await measure(`${tool}, ${gpus} GPUs`, bridgeCall(tool), { agent, node, report });
    }
  },
};

interface Measured {
  readonly agent: Agent;
  readonly node: FakeNode;
  readonly report: (figure: Figure) => void;
  readonly bound?: Bound;
}

async function measure(what: string, request: HttpRequest, measured: Measured): Promise<void> {
  const { agent, node, report, bound } = measured;
  await callsFor(warmUpS, agent, node, request);
  const results = [];
  for (let run = 0; run < runs; run++) results.push(await callsFor(runS, agent, node, request));
  const rates = results.map(({ answers, seconds }) => answers / seconds);
  report({ what: `${what}: rate`, unit: 'calls/s', runs: rates, ...(bound && { bound }) });
  // Says more than the rate where others use the machine too.
  const cpu = results.map(({ cpuMsPerCall }) => cpuMsPerCall);
  report({ what: `${what}: processor time per call`, unit: 'ms', runs: cpu });
  report({ what: `${what}: p50`, unit: 'ms', runs: results.map(({ p50Ms }) => p50Ms) });
  report({ what: `${what}: p99`, unit: 'ms', runs: results.map(({ p99Ms }) => p99Ms) });
}
