import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { agentBinary } from '../support/build.ts';
import type { FakeNode, Place } from './agent-process.ts';
import { bridgeCall, checkText } from './agent-requests.ts';

const enterCgroup = 'echo $$ > "$1"; shift; exec "$@"';

/**
 * Asks one question as `kubectl exec -i POD -- /agent --oneshot 1` does.
 *
 * @param agentPort where an agent listens that is to be asked; undefined: it reads the driver itself
 * @returns ms from its start to its answer
 * @throws Error when there is no answer, or not a whole one
 */
export async function oneshot(
  { gpus, args, env }: FakeNode,
  agentPort: number | undefined,
  { program = agentBinary, cgroupProcs, signal }: Place & { signal?: AbortSignal } = {},
): Promise<number> {
  const asked = [program, '--oneshot', '1', ...args];
  const [command = '', ...rest] =
    cgroupProcs === undefined ? asked : ['bash', '-c', enterCgroup, 'bash', cgroupProcs, ...asked];
  const port = agentPort === undefined ? {} : { K8S_GPU_MCP_PORT: `${agentPort}` };
  const startedMs = performance.now();
  const child = spawn(command, rest, { env: { ...env, ...port }, stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  child.stdin.on('error', () => undefined); // it has ended without reading: then there is no answer
  child.stdin.end(`${bridgeCall('get_gpu_health').body}\n`);
  let answer: { text: string; ms: number } | undefined;
  for await (const text of createInterface({ input: child.stdout }))
    answer ??= { text, ms: performance.now() - startedMs };
  const [code] = await ended;
  signal?.removeEventListener('abort', kill);
  signal?.throwIfAborted();
  if (!answer) throw new Error(`oneshot gave no answer, and ended with ${code}`);
  checkText(answer.text, gpus, 'oneshot');
  return answer.ms;
}
