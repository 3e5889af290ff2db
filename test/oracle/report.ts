import { markdownTable } from 'markdown-table';

import { groupBy } from '../../src/core/group-by.ts';
import { drift } from './check.ts';
import { verdicts } from './compare.ts';
import { type Finding, unseen } from './findings.ts';

const head = ['reading', 'oracle', 'ours', 'the oracle’s', 'verdict', 'GPU'];
/** Of a cell; what differs is to be seen. */
const longest = 60;
const longestThatDiffers = 300;
const tolerances = `${drift.celsius} °C, ${drift.watts} W, ${drift.percent} % (GPM ${drift.gpmPercent} %), ${drift.megahertz} MHz, ${drift.memory / 2 ** 20} MiB`;

/** A row for each reading: one for all GPUs where they have the same verdict, and one for each GPU that differs. */
export function table(findings: readonly Finding[]): string {
  const byReading = groupBy(findings, ({ reading, from }) => `${reading} ${from}`);
  const rows = [...byReading.values()].flatMap(rowsOf);
  return markdownTable([head, ...rows]);
}

function rowsOf(findings: readonly Finding[]): string[][] {
  return verdicts.flatMap((verdict) => {
    const such = findings.filter((finding) => finding.verdict === verdict);
    if (verdict === 'differs') return such.map((finding) => row([finding], finding.gpu));
    return such.length > 0 ? [row(such, such.length === findings.length ? 'all' : gpusOf(such))] : [];
  });
}

function gpusOf(findings: readonly Finding[]): string {
  return findings.map(({ gpu }) => gpu).join(', ');
}

function row(findings: readonly Finding[], gpu: string): string[] {
  const [first] = findings;
  if (first === undefined) return [];
  const one = (of: (finding: Finding) => string) => {
    const values = new Set(findings.map(of));
    return `${cut(of(first), first.verdict === 'differs' ? longestThatDiffers : longest)}${values.size > 1 ? ' …' : ''}`;
  };
  return [
    first.reading,
    cut(first.from, longest),
    one(({ ours }) => ours),
    one(({ theirs }) => theirs),
    first.verdict,
    first.gpu === '' ? '' : gpu,
  ];
}

function cut(value: string, most: number): string {
  return value.length > most ? `${value.slice(0, most)}…` : value;
}

/** `2 GPUs, 220 comparisons: 200 agree, …`, what our tools do not tell, and what nobody here else does. */
export function summary(findings: readonly Finding[], oracle: string): string {
  const counted = verdicts.map((verdict) => findings.filter((finding) => finding.verdict === verdict));
  const [agree = [], moved = [], differ = [], here = [], there = [], both = []] = counted;
  const gpus = new Set(findings.map(({ gpu }) => gpu).filter((gpu) => gpu !== ''));
  const blind = unseen(findings);
  const names = (such: readonly Finding[]) =>
    [...new Set(such.map(({ reading }) => reading))].join(', ') || 'none';
  return [
    `Missing here, told by the oracle: ${names(here)}.`,
    `Missing there, told by us: ${names(there)}.`,
    `No oracle for ${blind.length}: ${blindText(blind)}.`,
    `Moved: between what the oracle told before and after, or at most ${tolerances} outside of it.`,
    `${gpus.size} ${gpus.size === 1 ? 'GPU' : 'GPUs'}, ${findings.length} comparisons with ${oracle}: ` +
      `${agree.length} agree, ${moved.length} moved, ${differ.length} differ, ${here.length} missing here, ` +
      `${there.length} missing there, ${both.length} missing in both.`,
  ].join('\n');
}

/** `numaNode, cpuAffinity (why); energyJoules (why)` */
function blindText(blind: ReturnType<typeof unseen>): string {
  return [...groupBy(blind, ({ why }) => why)]
    .map(([why, such]) => `${such.map(({ name }) => name).join(', ')} (${why})`)
    .join('; ');
}
