import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import koffi from 'koffi';

import { prototypes } from '../../src/server/nvml/abi.ts';
import { nvmlLanes } from '../../src/server/nvml/lane.ts';
import { buildFakeNvml } from '../support/nvml/fake-nvml.ts';
import { setenv } from '../support/nvml/raw-nvml.ts';
import { fakeNode, whyNoAgent } from './agent-process.ts';
import { type Benchmark, median } from './bench.ts';
import { temporaryFolder } from './processes.ts';

const gpus = 8;
const runs = 9;
const snapshotsPerRun = 20;
/** The first ones also ask what is then remembered, and run code that is not compiled yet. */
const warmUp = 40;
/** In the agent there are seconds between two: the threads have gone to sleep, and caches are cold. */
const pauseMs = 40;

export const agentSample: Benchmark = {
  name: 'agent-sample',
  about: "a snapshot of 8 GPUs by the agent's own modules under Bun, worker included, on the C fake, 10 s",
  whyNot: whyNoAgent,
  async measure(report) {
    using node = fakeNode(gpus);
    for (const [name, value] of Object.entries(node.env)) setenv(name, value, 1);
    using clock = clockedDriver();
    const lane = nvmlLanes(new URL('../../src/server/nvml/worker.ts', import.meta.url), clock.library)();
    await lane.open();
    const all = Array.from({ length: gpus }, (_, index) => index);
    const snapshot = async () => {
      const [startedMs, driverMs] = [performance.now(), clock.driverMs()];
      await lane.readAll(all, { slowly: false, againMs: 60_000 }, () => undefined);
      const inDriverMs = clock.driverMs() - driverMs;
      return { ownMs: performance.now() - startedMs - inDriverMs, inDriverMs };
    };
    for (let each = 0; each < warmUp; each++) await snapshot();
    clock.record(1);
    await lane.readAll(all, { slowly: false, againMs: 10_000 }, () => undefined);
    clock.record(0);
    const results = [];
    for (let run = 0; run < runs; run++) results.push(await medianOf(snapshot));
    const inC = Array.from({ length: runs }, () => medianReplay(clock));
    await lane.close();
    const bound = { atMost: 1 };
    report({
      what: 'snapshot, 8 GPUs: our own time',
      unit: 'ms',
      runs: results.map(({ ownMs }) => ownMs),
      bound,
    });
    report({
      what: 'snapshot, 8 GPUs: in the C fake',
      unit: 'ms',
      runs: results.map((each) => each.inDriverMs),
    });
    report({ what: 'snapshot, 8 GPUs: driver calls', unit: 'count', runs: [clock.recorded()] });
    report({ what: 'the same calls made by C alone', unit: 'ms', runs: inC });
    report({
      what: 'snapshot, of the same calls made by C alone',
      unit: 'ratio',
      runs: results.map(({ ownMs, inDriverMs }, run) => (ownMs + inDriverMs) / (inC[run] ?? Number.NaN)),
    });
  },
};

interface Snapshot {
  readonly ownMs: number;
  readonly inDriverMs: number;
}

async function medianOf(snapshot: () => Promise<Snapshot>): Promise<Snapshot> {
  const taken: Snapshot[] = [];
  for (let each = 0; each < snapshotsPerRun; each++) {
    await sleep(pauseMs);
    taken.push(await snapshot());
  }
  return {
    ownMs: median(taken.map(({ ownMs }) => ownMs)),
    inDriverMs: median(taken.map(({ inDriverMs }) => inDriverMs)),
  };
}

function medianReplay({ replayMs }: ClockedDriver): number {
  return median(Array.from({ length: snapshotsPerRun }, () => replayMs()));
}

/** The C fake behind a library that knows how long calls were in it, and can make the same ones again. */
interface ClockedDriver extends Disposable {
  readonly library: string;
  readonly driverMs: () => number;
  readonly record: (on: 0 | 1) => void;
  readonly recorded: () => number;
  readonly replayMs: () => number;
}

function clockedDriver(): ClockedDriver {
  const { folder, ...temporary } = temporaryFolder();
  const driver = buildFakeNvml();
  const library = join(folder, 'libnvidia-ml.so.1');
  const functions = functionsOf(driver).map((name) => `FORWARD(${name})`);
  const defines = [`-DDRIVER="${driver}"`, `-DFUNCTIONS=${functions.join(' ')}`];
  const source = join(import.meta.dirname, 'agent-driver-clock.c');
  execFileSync('cc', [
    '-std=c11',
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-shared',
    '-fPIC',
    ...defines,
    '-o',
    library,
    source,
  ]);
  const own = koffi.load(library);
  return {
    library,
    driverMs: own.func('double driverClockMs()') as () => number,
    record: own.func('void driverRecord(int on)') as (on: number) => void,
    recorded: own.func('int driverRecorded()') as () => number,
    replayMs: own.func('double driverReplayMs()') as () => number,
    ...temporary,
  };
}

/** Those that the agent asks for and the driver has: what it lacks must stay lacking. */
function functionsOf(driver: string): string[] {
  const library = koffi.load(driver);
  const names = Object.values(prototypes)
    .flat()
    .map((prototype) => /\b(nvml\w+)\(/.exec(prototype)?.[1] ?? '');
  return [...new Set(names)].filter((name) => {
    try {
      return Boolean(library.func(`int ${name}()`));
    } catch {
      return false;
    }
  });
}
