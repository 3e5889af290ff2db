// npm run bench [-- NAME …] [--json FILE]: measures, prints one table, and judges each figure by its bound.
import { writeFileSync } from 'node:fs';

import { Command } from 'commander';

import type { Benchmark, Figure } from './bench.ts';
import { meets } from './bench.ts';
import { type Machine, machine } from './machine.ts';
import { table } from './table.ts';

const benchmarks: readonly Benchmark[] = [];

interface Report {
  readonly machine: Machine;
  readonly figures: readonly (Figure & { readonly benchmark: string })[];
  readonly skipped: readonly { readonly benchmark: string; readonly why: string }[];
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function measure(chosen: readonly Benchmark[]): Promise<Report> {
  const figures: (Figure & { benchmark: string })[] = [];
  const skipped: { benchmark: string; why: string }[] = [];
  const here = machine();
  for (const { name: benchmark, about, whyNot, measure } of chosen) {
    const why = whyNot();
    if (why !== undefined) {
      skipped.push({ benchmark, why });
      continue;
    }
    say(`${benchmark}: ${about} …`);
    await measure((figure) => figures.push({ benchmark, ...figure }));
  }
  return { machine: here, figures, skipped };
}

const names = benchmarks.map(({ name }) => name);
const program = new Command('bench')
  .argument('[names...]', `of ${names.join(', ')}; default: all`)
  .option('--json <file>', 'also write every run here, as JSON')
  .parse();
const wanted = program.args;
const strange = wanted.find((name) => !names.includes(name));
if (strange !== undefined) program.error(`there is no benchmark ${strange}; there are ${names.join(', ')}`);

const report = await measure(benchmarks.filter(({ name }) => wanted.length === 0 || wanted.includes(name)));
const { cpu, cores, memoryGiB, system, node, bareNodeMs } = report.machine;
process.stdout.write(
  `${cores} × ${cpu}, ${memoryGiB} GiB, ${system}; Node ${node}, \`node -e 0\` ${bareNodeMs} ms\n\n`,
);
process.stdout.write(`${table(report.figures)}\n`);
for (const { benchmark, why } of report.skipped) process.stdout.write(`skipped: ${benchmark}: ${why}\n`);
const { json } = program.opts<{ json?: string }>();
if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
const missed = report.figures.filter((figure) => meets(figure) === false).length;
process.stdout.write(missed === 0 ? 'every bound met\n' : `${missed} bounds missed\n`);
process.exit(missed === 0 ? 0 : 1);
