import type { OurGpu, Ours } from './agent.ts';
import { type Check, type Source, text, type Untold } from './check.ts';
import { apart, compare, isMany, type Told, type Verdict } from './compare.ts';
import { inquiryChecks } from './inquiry-checks.ts';
import { mapping } from './mapping.ts';
import type { OracleGpu } from './nvidia-smi.ts';
import { pynvmlChecks } from './pynvml-checks.ts';

/** One comparison of one GPU. */
export interface Finding {
  /** PCI address; empty for what holds of the driver. */
  readonly gpu: string;
  /** `memory.totalBytes` */
  readonly reading: string;
  readonly from: Source;
  readonly ours: string;
  readonly theirs: string;
  readonly verdict: Verdict;
}

/** What the oracles tell at one moment. */
export interface Oracles {
  readonly driver: { readonly driverVersion: string; readonly cudaVersion: string };
  readonly gpus: readonly OracleGpu[];
  /** Whether pynvml is one of them, or why not. */
  readonly pynvml: true | string;
}

type Entries = readonly (Check | Untold)[];
const tables: Readonly<Record<string, Entries>>[] = [mapping, inquiryChecks, pynvmlChecks];
const entries = tables
  .flatMap((table) => Object.entries(table))
  .flatMap(([reading, all]) => all.map((entry) => ({ reading, name: nameOf(reading, entry), entry })));

/** By name, `memory.totalBytes`; of nvidia-smi and of pynvml. */
export const checks = entries.flatMap(({ entry, ...named }) =>
  'from' in entry ? [{ ...named, check: entry }] : [],
);
export const queryFields = fromAll('query ');
export const pynvmlExpressions = fromAll('pynvml ');
/** What nvidia-smi does not tell, and why not. */
export const untold = entries.flatMap(({ entry, ...named }) =>
  'why' in entry ? [{ ...named, why: entry.why }] : [],
);

function fromAll(kind: string): string[] {
  const sources = checks.flatMap(({ check }) => check.from);
  return sources.filter((source) => source.startsWith(kind)).map((source) => source.slice(kind.length));
}

function nameOf(reading: string, { part }: { readonly part?: string }): string {
  return part === undefined ? reading : `${reading}.${part}`;
}

/** Everything that can be compared. GPUs are matched by PCI address or UUID, never by their place in a list. */
export function findingsOf(ours: Ours, before: Oracles, after: Oracles): Finding[] {
  const seen = before.gpus.map((gpu) => ours.gpus.find((own) => isSame(own, gpu)));
  const unseen = ours.gpus.filter((own) => !seen.includes(own));
  return [
    ...driverFindings(ours, before, after),
    ...before.gpus.flatMap((gpu, at) => {
      const own = seen[at];
      if (own === undefined) return [lonely(gpu.pciAddress, 'is not there', 'is there')];
      return gpuFindings(
        before.pynvml === true,
        own,
        gpu,
        after.gpus.find((again) => again.uuid === gpu.uuid) ?? gpu,
      );
    }),
    ...unseen.map((own) => lonely(own.pciAddress ?? own.uuid ?? '', 'is there', 'is not there')),
  ];
}

function isSame(own: OurGpu, gpu: OracleGpu): boolean {
  return own.pciAddress === gpu.pciAddress || own.uuid === gpu.uuid;
}

function lonely(gpu: string, ours: string, theirs: string): Finding {
  return { gpu, reading: 'the GPU itself', from: 'query uuid', ours, theirs, verdict: 'differs' };
}

function driverFindings(ours: Ours, before: Oracles, after: Oracles): Finding[] {
  return (['driverVersion', 'cudaVersion'] as const).map((reading) => {
    const told = { before: before.driver[reading], after: after.driver[reading] };
    const verdict = compare({ of: (value) => value, form: text }, ours[reading], told);
    const from: Source = reading === 'driverVersion' ? 'xml ../driver_version' : 'xml ../cuda_version';
    return { gpu: '', reading, from, ours: shown(ours[reading]), theirs: theirsShown(told), verdict };
  });
}

function gpuFindings(pynvml: boolean, own: OurGpu, before: OracleGpu, after: OracleGpu): Finding[] {
  return checks.flatMap(({ reading, name, check }) => {
    const from = sourceOf(check, before);
    if (from === undefined || (from.startsWith('pynvml ') && !pynvml)) return [];
    const told = { before: before.tell(from), after: after.tell(from) };
    const value = own.readings[reading];
    const ours = value === null || value === undefined ? null : check.of(value);
    const verdict = compare(check, value, told);
    const odd = verdict === 'differs' ? oddOf(check, ours, told) : undefined;
    const sides = odd ?? { ours: shown(ours, own.missing[reading]), theirs: theirsShown(told) };
    return { gpu: before.pciAddress, reading: name, from, verdict, ...sides };
  });
}

/** The first that this oracle knows. */
function sourceOf({ from }: Check, gpu: OracleGpu): Source | undefined {
  return from.find((source) => gpu.tell(source) !== undefined) ?? from[0];
}

/** Of values with members only those that differ; undefined where either side has none. */
function oddOf(
  { form, moves = 0 }: Check,
  ours: unknown,
  told: Told,
): Pick<Finding, 'ours' | 'theirs'> | undefined {
  const { before = told.after ?? '', after = before } = told;
  const theirs = { before: form.read(before), after: form.read(after) };
  if (![ours, theirs.before, theirs.after].every(isMany)) return undefined;
  const tolerance = Math.max(form.slack ?? 0, moves);
  const [own, first] = apart(ours, theirs.before, tolerance);
  const [, last] = apart(ours, theirs.after, tolerance);
  return { ours: shown(own), theirs: theirsShown({ before: shown(first), after: shown(last) }) };
}

function shown(value: unknown, missing?: string): string {
  if (value === null || value === undefined) return missing === undefined ? '–' : `– (${missing})`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function theirsShown({ before, after }: Told): string {
  if (before === undefined && after === undefined) return 'not told';
  return before === after ? (before ?? '') : `${before ?? '–'} → ${after ?? '–'}`;
}

/**
 * What of two rounds is to be believed: a value that moves may have jumped in between, so that it counts as differing only
 * if it does so each time.
 */
export function kinder(first: readonly Finding[], again: readonly Finding[]): Finding[] {
  const key = ({ gpu, reading, from }: Finding) => `${gpu} ${reading} ${from}`;
  const others = new Map(again.map((finding) => [key(finding), finding]));
  return first.map((finding) => (mayJump(finding) ? (others.get(key(finding)) ?? finding) : finding));
}

/** It differs, and is of those that change by themselves. */
export function mayJump({ verdict, reading }: Finding): boolean {
  return (
    verdict === 'differs' && checks.some(({ name, check }) => name === reading && check.moves !== undefined)
  );
}

/** What no oracle that was there tells: pynvml tells some of what nvidia-smi does not. */
export function unseen(findings: readonly Finding[]): typeof untold {
  const byPynvml = new Set(
    findings.filter(({ from }) => from.startsWith('pynvml ')).map(({ reading }) => reading),
  );
  return untold.filter(({ name, reading }) => !byPynvml.has(name) && !byPynvml.has(reading));
}
