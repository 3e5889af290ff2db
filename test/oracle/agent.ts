import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { toolRequest } from '../support/agent-client.ts';
import { NotHere, patienceMs } from './nvidia-smi.ts';

const tools = ['get_gpu_inventory', 'get_gpu_metrics', 'get_gpu_health'];

/** A GPU with every reading that our tools give, null where it is missing. */
export interface OurGpu {
  readonly uuid: string | null;
  readonly pciAddress: string | null;
  readonly readings: Readonly<Record<string, unknown>>;
  /** By reading: why it is missing. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface Ours {
  readonly driverVersion: string | null;
  readonly cudaVersion: string | null;
  readonly gpus: readonly OurGpu[];
}

type Row = Readonly<Record<string, unknown>> & { readonly missing: Readonly<Record<string, string>> };

interface Answer {
  readonly driver: {
    readonly driverVersion: string | null;
    readonly cudaVersion: string | null;
    readonly problem: { readonly message: string; readonly hint: string } | null;
  } & Row;
  readonly gpus: readonly (Row & { readonly counters?: Row })[];
}

/** Asks the agent as `kubectl exec` does: three tools of one process, which answer from one sample. */
export async function readOurs(program: string, args: readonly string[]): Promise<Ours> {
  const answers = await ask(program, args);
  const [inventory] = answers;
  if (inventory === undefined || answers.length < tools.length)
    throw new Error(`the agent answered ${answers.length} of ${tools.length} requests`);
  const { driverVersion, cudaVersion, problem } = inventory.driver;
  if (problem) throw new NotHere(`the agent cannot read the driver: ${problem.message}. ${problem.hint}`);
  return {
    driverVersion,
    cudaVersion,
    gpus: inventory.gpus.map((_, at) => {
      const rows = [
        inventory.driver,
        ...answers.map(({ gpus }) => gpus[at]).flatMap((row) => row?.counters ?? row ?? []),
      ];
      const readings = Object.assign({}, ...rows) as Row;
      return {
        uuid: readings['uuid'] as string | null,
        pciAddress: readings['pciAddress'] as string | null,
        readings,
        missing: Object.assign({}, ...rows.map(({ missing }) => missing)),
      };
    }),
  };
}

async function ask(program: string, args: readonly string[]): Promise<Answer[]> {
  const child = spawn(program, [`--oneshot=${tools.length}`, '--log-level=warn', ...args], {
    env: withoutOurs(process.env),
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: patienceMs,
  });
  const requests = tools.map((tool, id) => ({
    ...toolRequest(tool, { detail: 'full' }, { 'k8s-gpu-mcp/structured': true }).body,
    id,
  }));
  child.stdin.on('error', () => undefined); // it has ended without reading: then answers are missing
  child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  await once(child, 'close');
  const replies = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { id: number; result?: { structuredContent?: Answer } });
  return replies.sort((a, b) => a.id - b.id).flatMap(({ result }) => result?.structuredContent ?? []);
}

/** The driver is to be read, not an agent that happens to listen here. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('K8S_GPU_MCP_')));
}
