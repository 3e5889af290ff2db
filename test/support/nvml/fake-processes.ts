import type { Whole } from './fake-board.ts';

/** What runs on a GPU. */
export interface FakeProcesses {
  processes?: readonly FakeProcess[];
  graphicsProcesses?: readonly FakeProcess[];
  mpsProcesses?: readonly FakeProcess[];
  /** Each answer of a size leaves out so many processes that are there a moment later. */
  growingProcesses?: number;
  processSamples?: readonly FakeProcessSample[];
}

interface FakeProcessSample {
  microseconds: Whole;
  pid: number;
  sm?: number;
  memory?: number;
  encoder?: number;
  decoder?: number;
}

interface FakeProcess {
  pid: number;
  /** null: NVML_VALUE_NOT_AVAILABLE, as NVML says when it may not know. */
  usedBytes: Whole | null;
  /** Absent: 0xFFFFFFFF, as NVML says without MIG. */
  gpuInstance?: number;
  computeInstance?: number;
  /** Only in 32-byte records; default 0. */
  protectedBytes?: Whole;
}

/** The lines of the processes, and without them the rest. */
export function processesLines<Gpu extends FakeProcesses>(gpu: Gpu) {
  const { processes = [], graphicsProcesses = [], mpsProcesses = [], processSamples = [], ...rest } = gpu;
  const lines = [
    ...processes.map((process) => `process ${processText(process)}`),
    ...graphicsProcesses.map((process) => `graphicsProcess ${processText(process)}`),
    ...mpsProcesses.map((process) => `mpsProcess ${processText(process)}`),
    ...processSamples.map(sampleLine),
  ];
  return { lines, rest };
}

function sampleLine(sample: FakeProcessSample): string {
  const { microseconds, pid, sm = 0, memory = 0, encoder = 0, decoder = 0 } = sample;
  return `processSample ${microseconds} ${pid} ${sm} ${memory} ${encoder} ${decoder}`;
}

function processText(process: FakeProcess): string {
  const {
    pid,
    usedBytes,
    gpuInstance = 0xffffffff,
    computeInstance = 0xffffffff,
    protectedBytes = 0,
  } = process;
  const bytes = usedBytes ?? 0xffffffffffffffffn; // NVML_VALUE_NOT_AVAILABLE
  return `${pid} ${bytes} ${gpuInstance} ${computeInstance} ${protectedBytes}`;
}
