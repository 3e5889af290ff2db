import type { Agent, FakeNode } from './agent-process.ts';
import { bridgeCall, checkAnswer, type HttpRequest, lastGpuOf, tools } from './agent-requests.ts';
import { cpuMs } from './proc.ts';
import { type LoadResult, wrk } from './wrk.ts';

/**
 * Calls a tool for so long, as often as the agent answers.
 *
 * @throws Error when a single call failed: by wrk's count, by the agent's own, or by an answer before and after
 */
export async function callsFor(
  seconds: number,
  agent: Agent,
  { gpus }: FakeNode,
  request: HttpRequest,
): Promise<LoadResult & { readonly cpuMsPerCall: number }> {
  await checkAnswer(agent.url, request, gpus);
  const before = await agent.calls();
  const cpuBeforeMs = cpuMs(agent.pid);
  const result = await wrk({ url: agent.url, requests: [request], forS: seconds });
  const spentMs = cpuMs(agent.pid) - cpuBeforeMs;
  const after = await agent.calls();
  await checkAnswer(agent.url, request, gpus);
  const grown = (outcome: string) => (after[outcome] ?? 0) - (before[outcome] ?? 0);
  const faults = Object.keys(after).filter((outcome) => outcome !== 'ok' && grown(outcome) > 0);
  if (result.failed > 0 || faults.length > 0 || grown('ok') < result.answers) {
    const counted = `the agent counted ${grown('ok')} good ones and faults [${faults.join(', ')}]`;
    throw new Error(`of ${result.answers} calls ${result.failed} failed; ${counted}`);
  }
  return { ...result, cpuMsPerCall: spentMs / grown('ok') };
}

export const manyCalls = 10_000;

/** Makes 10,000 calls as the bridge makes them, of both tools in turn, and looks at each answer. */
export function callMany(
  agent: Agent,
  { gpus }: FakeNode,
  { forS, signal }: { forS: number; signal?: AbortSignal },
): Promise<LoadResult> {
  return wrk({
    url: agent.url,
    requests: tools.map(bridgeCall),
    forS,
    untilAnswers: { count: manyCalls, expect: lastGpuOf(gpus) },
    ...(signal && { signal }),
  });
}
