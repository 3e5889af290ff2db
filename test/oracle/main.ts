// npm run oracle [-- --nvidia-smi PATH]: our readings beside those of nvidia-smi, on a machine with a GPU.
import { Command } from 'commander';

import { agentBinary } from '../support/build.ts';
import { readOurs } from './agent.ts';
import {
  type Finding,
  findingsOf,
  kinder,
  mayJump,
  type Oracles,
  pynvmlExpressions,
  queryFields,
} from './findings.ts';
import { knownFields, NotHere, readNvidiaSmi } from './nvidia-smi.ts';
import { readPynvml } from './pynvml.ts';
import { summary, table } from './report.ts';

const mostRounds = 3;

const program = new Command('oracle')
  .description('Compares what our tools say of the GPUs of this machine with what nvidia-smi says of them.')
  .option('--agent <path>', 'the agent to hold against it', agentBinary)
  .option('--nvidia-smi <path>', 'the nvidia-smi to ask', 'nvidia-smi')
  .option('--nvml-library <path>', 'libnvidia-ml.so.1 that the agent loads; default: searched')
  .option(
    '--python <path>',
    'a Python; where it can import pynvml (nvidia-ml-py), that is asked too',
    'python3',
  )
  .addHelpText(
    'after',
    '\nEnds with 0 if nothing differs, 1 if something does, 2 where nothing can be compared.',
  )
  .parse();
const { agent, nvidiaSmi, nvmlLibrary, python } = program.opts<{
  agent: string;
  nvidiaSmi: string;
  nvmlLibrary?: string;
  python: string;
}>();

try {
  const fields = await knownFields(nvidiaSmi, queryFields);
  const { findings, told } = await compareAll(() => readOracles(fields));
  process.stdout.write(`${table(findings)}\n\n${summary(findings, told)}\n`);
  process.exitCode = findings.some(({ verdict }) => verdict === 'differs') ? 1 : 0;
} catch (thrown) {
  process.stderr.write(`${thrown instanceof NotHere ? thrown.message : (thrown as Error).stack}\n`);
  process.exitCode = 2;
}

async function readOracles(fields: readonly string[]): Promise<Oracles> {
  const { gpus, ...driver } = await readNvidiaSmi(nvidiaSmi, fields);
  if (gpus.length === 0) throw new NotHere('nvidia-smi lists no GPU: run this on a machine that has one.');
  const read = await readPynvml(python, nvmlLibrary, pynvmlExpressions);
  const answers = 'answers' in read ? read.answers : {};
  return {
    driver,
    pynvml: 'why' in read ? read.why : true,
    gpus: gpus.map((gpu) => ({
      ...gpu,
      tell: (source) => answers[gpu.uuid]?.[source.slice('pynvml '.length)] ?? gpu.tell(source),
    })),
  };
}

/** The oracles are read before and after our own sample. What moves and differs is looked at again. */
async function compareAll(read: () => Promise<Oracles>): Promise<{ findings: Finding[]; told: string }> {
  const args = nvmlLibrary === undefined ? [] : ['--nvml-library', nvmlLibrary];
  let findings: Finding[] = [];
  let told = '';
  for (let round = 0; round < mostRounds; round++) {
    const before = await read();
    const ours = await readOurs(agent, args);
    const found = findingsOf(ours, before, await read());
    findings = round === 0 ? found : kinder(findings, found);
    const { driver, pynvml } = before;
    told = `nvidia-smi ${driver.driverVersion}${pynvml === true ? ' and pynvml' : ` (not with pynvml: ${pynvml})`}`;
    if (!findings.some(mayJump)) break;
  }
  return { findings, told };
}
