// Compares what the agent tells of this machine's GPUs with what nvidia-smi and pynvml tell, at the same moment.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { Command } from 'commander';
import { markdownTable } from 'markdown-table';

import { pciSlot } from '../../src/core/pci.ts';
import { toolRequest } from '../support/agent-client.ts';
import { agentBinary } from '../support/build.ts';
import { disagreements, judged, type Verdict, valueAt } from './compare.ts';
import { mapping } from './mapping.ts';
import { readQueries, readXml, type Tellings } from './nvidia-smi.ts';
import { readPynvml } from './pynvml.ts';

interface Options {
  readonly nvmlLibrary?: string;
  readonly nvidiaSmi: string;
  readonly python: string;
}

const options = new Command('oracle')
  .description('Compares every reading of the GPUs here with nvidia-smi and pynvml.')
  .option('--nvml-library <path>', 'the libnvidia-ml.so.1 that the agent opens; default: it searches')
  .option('--nvidia-smi <program>', 'default: the one on PATH', 'nvidia-smi')
  .option('--python <program>', 'with the package nvidia-ml-py; without it that part is left out', 'python3')
  .parse()
  .opts<Options>();

interface Oracle {
  readonly name: string;
  read(): Tellings;
}

interface Compared {
  readonly ours: string;
  readonly oracle: string;
  readonly own: string;
  readonly theirs: string;
  readonly verdict: Verdict;
}

const { oracles, leftOut } = found(options);
const before = oracles.map((oracle) => oracle.read());
const gpus = ourGpus(options);
const after = oracles.map((oracle) => oracle.read());
const compared = gpus.flatMap((gpu) => oracles.flatMap((oracle, at) => comparedWith(gpu, oracle.name, at)));
print(compared);
process.exitCode = compared.some(({ verdict }) => disagreements.has(verdict)) ? 1 : 0;

function found({ nvidiaSmi, python }: Options): { oracles: Oracle[]; leftOut: string | undefined } {
  try {
    readXml(nvidiaSmi);
  } catch (error) {
    process.stderr.write(
      `${(error as Error).message}\nThis needs a machine with an NVIDIA GPU, its driver and nvidia-smi; --nvidia-smi says where that is.\n`,
    );
    process.exit(2);
  }
  const smi: Oracle[] = [
    { name: 'nvidia-smi -q -x', read: () => readXml(nvidiaSmi) },
    { name: 'nvidia-smi --query-gpu', read: () => readQueries(nvidiaSmi) },
  ];
  const first = readPynvml(python);
  if (typeof first === 'string') return { oracles: smi, leftOut: `pynvml was left out: ${first}` };
  const read = () => {
    const told = readPynvml(python);
    if (typeof told === 'string') throw new Error(told);
    return told;
  };
  return { oracles: [...smi, { name: 'pynvml', read }], leftOut: undefined };
}

type Row = Readonly<Record<string, unknown>> & { readonly pciAddress: string | null };

/** All that the tools tell of each GPU, as one row. */
function ourGpus({ nvmlLibrary }: Options): Row[] {
  const tools = ['get_gpu_inventory', 'get_gpu_metrics', 'get_gpu_health'];
  const requests = tools.map((tool, at) => ({
    ...toolRequest(tool, {}, { 'k8s-gpu-mcp/structured': true }).body,
    id: at,
  }));
  const library = nvmlLibrary === undefined ? [] : ['--nvml-library', nvmlLibrary];
  const { stdout, stderr, status } = spawnSync(agentBinary, [...library, `--oneshot=${tools.length}`], {
    encoding: 'utf8',
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
  });
  if (status !== 0) throw new Error(`the agent ended with ${status}: ${stderr}`);
  const answers = stdout.trim().split('\n').map(gpusIn);
  return (answers[0] ?? []).map((row, index) => {
    const { counters = {}, ...health } = (answers[2]?.[index] ?? {}) as Row & { readonly counters?: object };
    return { ...health, ...counters, ...answers[1]?.[index], ...row };
  });
}

function gpusIn(line: string): Row[] {
  const { result, error } = JSON.parse(line);
  if (!result) throw new Error(JSON.stringify(error));
  return result.structuredContent.gpus;
}

function comparedWith(gpu: Row, oracle: string, at: number): Compared[] {
  const slot = pciSlot(gpu.pciAddress ?? '');
  const [first, last] = [before[at]?.get(slot), after[at]?.get(slot)];
  return mapping
    .filter((how) => asks(how, oracle))
    .map((how) => {
      const own = valueAt(gpu, how.ours);
      const told = { before: first?.get(how.ours), after: last?.get(how.ours) };
      const both = [...new Set([told.before, told.after])].map((text) => text ?? '-').join(', then ');
      return { ours: how.ours, oracle, own: shown(own), theirs: both, verdict: judged(own, told, how) };
    });
}

function asks({ xml, query, pynvml }: (typeof mapping)[number], oracle: string): boolean {
  if (oracle === 'pynvml') return pynvml !== undefined;
  return oracle.endsWith('--query-gpu') ? query !== undefined : xml !== undefined;
}

function shown(value: unknown): string {
  if (value === null) return 'missing';
  return Array.isArray(value) ? value.join(' ') || 'none' : String(value);
}

/** GPUs of which the same is told are one line. */
function print(all: readonly Compared[]): void {
  const lines = new Map<string, { row: Compared; gpus: number }>();
  for (const row of all) {
    const key = JSON.stringify(row);
    lines.set(key, { row, gpus: (lines.get(key)?.gpus ?? 0) + 1 });
  }
  const cells = [...lines.values()].map(({ row, gpus: count }) => [
    row.ours,
    row.oracle,
    row.own,
    row.theirs,
    row.verdict,
    `${count}`,
  ]);
  const head = ['reading', 'oracle', 'ours', 'theirs', 'verdict', 'GPUs'];
  const verdicts: readonly Verdict[] = [
    'agrees',
    'bothMissing',
    'moved',
    'missingThere',
    'missingHere',
    'differs',
  ];
  const counts = verdicts.map(
    (verdict) => `${all.filter((row) => row.verdict === verdict).length} ${verdict}`,
  );
  const lost = leftOut === undefined ? [] : [leftOut];
  process.stdout.write(`${[markdownTable([head, ...cells]), ...lost, counts.join(', ')].join('\n')}\n`);
}
