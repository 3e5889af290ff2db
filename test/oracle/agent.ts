import { spawn } from 'node:child_process';
import { once } from 'node:events';

import type { GpmRow } from '../../src/tools/gpm-row.ts';
import type { GpuProcessesRow } from '../../src/tools/processes-gpu.ts';
import type { GpuTopologyRow } from '../../src/tools/topology-gpu.ts';
import { toolRequest } from '../support/agent-client.ts';
import { NotHere, patienceMs } from './nvidia-smi.ts';
import { gpmOf, peersOf, processesOf } from './our-inquiries.ts';

/** GPM takes a while, and is asked for last. */
const tools = [
  'get_gpu_inventory',
  'get_gpu_health',
  'get_gpu_processes',
  'get_gpu_topology',
  'get_gpu_metrics',
];

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

interface Answer<Gpu = Row & { readonly counters?: Row }> {
  readonly driver: {
    readonly driverVersion: string | null;
    readonly cudaVersion: string | null;
    readonly problem: { readonly message: string; readonly hint: string } | null;
  } & Row;
  readonly gpus: readonly Gpu[];
}
type Answers = readonly [
  inventory: Answer,
  health: Answer,
  processes: Answer<GpuProcessesRow>,
  topology: Answer<GpuTopologyRow>,
  metrics: Answer & { readonly gpm: readonly GpmRow[] },
];

/** Asks the agent as `kubectl exec` does: all tools of one process, which answer from one sample. */
export async function readOurs(program: string, args: readonly string[]): Promise<Ours> {
  const answers = await ask(program, args);
  const [{ driver, gpus }] = answers;
  const { driverVersion, cudaVersion, problem } = driver;
  if (problem) throw new NotHere(`the agent cannot read the driver: ${problem.message}. ${problem.hint}`);
  return { driverVersion, cudaVersion, gpus: gpus.map((_, at) => gpuOf(at, answers)) };
}

function gpuOf(at: number, [inventory, health, processes, topology, metrics]: Answers): OurGpu {
  const samples = [inventory, health, metrics].flatMap(({ gpus }) => gpus[at]?.counters ?? gpus[at] ?? []);
  const rows = [inventory.driver, ...samples];
  const readings = Object.assign({}, ...rows) as Row;
  const [listed, ways, gpm] = [processes.gpus[at], topology.gpus[at], metrics.gpm[at]];
  return {
    uuid: readings['uuid'] as string | null,
    pciAddress: readings['pciAddress'] as string | null,
    readings: {
      ...readings,
      processes: listed && processesOf(listed),
      peers: ways && peersOf(ways, topology.gpus),
      gpm: gpm && gpmOf(gpm),
    },
    missing: {
      ...Object.assign({}, ...rows.map(({ missing }) => missing)),
      ...(listed?.missing && { processes: listed.missing }),
      ...(gpm?.missing['gpm'] && { gpm: gpm.missing['gpm'] }),
    },
  };
}

async function ask(program: string, args: readonly string[]): Promise<Answers> {
  const child = spawn(program, [`--oneshot=${tools.length}`, '--log-level=warn', ...args], {
    env: withoutOurs(process.env),
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: patienceMs,
  });
  const requests = tools.map((tool, id) => ({
    ...toolRequest(tool, argumentsOf(tool), { 'k8s-gpu-mcp/structured': true }).body,
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
    .map((line) => JSON.parse(line) as { id: number; result?: { structuredContent?: object } });
  const answers = replies
    .sort((a, b) => a.id - b.id)
    .flatMap(({ result }) => result?.structuredContent ?? []);
  if (answers.length < tools.length)
    throw new Error(`the agent answered ${answers.length} of ${tools.length} requests`);
  return answers as unknown as Answers;
}

function argumentsOf(tool: string): object {
  return { detail: 'full', ...(tool === 'get_gpu_metrics' && { gpm: true }) };
}

/** The driver is to be read, not an agent that happens to listen here. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('K8S_GPU_MCP_')));
}
