// npm run bench [-- NAME …] [--json FILE]: measures, prints one table, and judges each figure by its bound.
import { writeFileSync } from 'node:fs';

import { Command } from 'commander';

import { agentCalls } from './agent-calls.ts';
import { agentHealth } from './agent-health.ts';
import { agentIdle } from './agent-idle.ts';
import { agentLimits, agentLimitsReadAhead } from './agent-limits.ts';
import { agentMemory } from './agent-memory.ts';
import { agentRounds } from './agent-rounds.ts';
import { agentSample } from './agent-sample.ts';
import { agentStart } from './agent-start.ts';
import { type Benchmark, checkFigure, type Figure, meets } from './bench.ts';
import { bridgeLives } from './bridge-lives.ts';
import { bridgeSoak, bridgeSoakForwarded } from './bridge-soak.ts';
import { bridgeStart } from './bridge-start.ts';
import { fleetOf } from './fleet.ts';
import { kubelet, kubeletReadAhead } from './kubelet.ts';
import { type Machine, machine } from './machine.ts';
import { table } from './table.ts';

const benchmarks: readonly Benchmark[] = [
  agentStart,
  agentSample,
  agentRounds,
  agentHealth,
  agentCalls,
  agentIdle,
  agentMemory,
  agentLimits,
  agentLimitsReadAhead,
  bridgeStart(15),
  fleetOf({ nodes: 20, runs: 3, calls: 200, faulty: { runs: 2, calls: 2000 }, bounds: {} }),
  fleetOf({
    nodes: 100,
    runs: 3,
    calls: 200,
    faulty: { runs: 1, calls: 2000 },
    bounds: { cold: { atMost: 700 }, warmP50: { atMost: 40 }, warmP99: { atMost: 120 } },
  }),
  bridgeLives(1000, 2),
  bridgeSoak({ calls: 100_000, warmCalls: 20_000 }),
  bridgeSoakForwarded({ calls: 30_000, warmCalls: 10_000 }),
  kubelet,
  kubeletReadAhead,
];

interface Report {
  readonly machine: Machine;
  readonly figures: readonly (Figure & { readonly benchmark: string })[];
  readonly tookS: Readonly<Record<string, number>>;
  readonly skipped: Readonly<Record<string, string>>;
  /** Those that broke off, and why: their figures up to then are kept. */
  readonly failed: Readonly<Record<string, string>>;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function measure(chosen: readonly Benchmark[]): Promise<Report> {
  const figures: (Figure & { benchmark: string })[] = [];
  const tookS: Record<string, number> = {};
  const skipped: Record<string, string> = {};
  const failed: Record<string, string> = {};
  const here = machine();
  for (const { name: benchmark, about, whyNot, measure } of chosen) {
    const why = whyNot();
    if (why !== undefined) {
      skipped[benchmark] = why;
      continue;
    }
    say(`${benchmark}: ${about} …`);
    const startedMs = performance.now();
    try {
      await measure((figure) => figures.push({ benchmark, ...checkFigure(figure) }));
    } catch (thrown) {
      failed[benchmark] = String(thrown);
    }
    tookS[benchmark] = Math.round((performance.now() - startedMs) / 1000);
    say(`${benchmark}: ${failed[benchmark] ?? 'done'}, ${tookS[benchmark]} s`);
  }
  return { machine: here, figures, tookS, skipped, failed };
}

// Else they would end us without a word to what was started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const names = benchmarks.map(({ name }) => name);
const program = new Command('bench')
  .argument('[names...]', `of ${names.join(', ')}; default: all`)
  .option('--json <file>', 'also write every run here, as JSON')
  .parse();
const wanted = program.args;
const strange = wanted.find((name) => !names.includes(name));
if (strange !== undefined) program.error(`there is no benchmark ${strange}; there are ${names.join(', ')}`);

const report = await measure(benchmarks.filter(({ name }) => wanted.length === 0 || wanted.includes(name)));
const { cpu, cores, memoryGiB, system, node, bareNodeMs, load } = report.machine;
process.stdout.write(
  `${cores} × ${cpu}, ${memoryGiB} GiB, ${system}; Node ${node}, \`node -e 0\` ${bareNodeMs} ms; load before ${load}\n\n`,
);
process.stdout.write(`${table(report.figures)}\n`);
const told = { skipped: report.skipped, FAILED: report.failed };
for (const [fate, reasons] of Object.entries(told))
  for (const [name, why] of Object.entries(reasons)) process.stdout.write(`${fate}: ${name}: ${why}\n`);
const { json } = program.opts<{ json?: string }>();
if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
const missed = report.figures.filter((figure) => meets(figure) === false).length;
process.stdout.write(missed === 0 ? 'no bound missed\n' : `${missed} bounds missed\n`);
process.exit(missed === 0 && Object.keys(report.failed).length === 0 ? 0 : 1);
