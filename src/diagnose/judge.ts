import { lasts } from '../core/driver.ts';
import { type GpuReadings, readingNames, symbolOf } from '../core/gpu.ts';
import { oncePerSample } from '../core/once-per-sample.ts';
import type { Missing, Reading } from '../core/reading.ts';
import { type DriverState, type GpuState, hangAfterMs } from '../core/snapshot.ts';
import { count, duration } from '../core/words.ts';
import { type Found, type Rule, rules } from './rules.ts';
import { type Action, actions, type Finding, type Verdict, verdicts, worst } from './verdict.ts';

export interface Judgement {
  readonly verdict: Verdict;
  readonly action: Action;
  /** Worst first. */
  readonly findings: readonly Finding[];
  /** What could not be looked at, and why: `pending row remap: notSupported`. */
  readonly unchecked: readonly string[];
}

/** Judges one GPU by what is known of it. Never `ok` unless at least one rule could look. */
export function judge(gpu: GpuState, driver: DriverState, nowMs: number): Judgement {
  const judged = judgedBy(gpu);
  const unchecked = judged.flatMap((result) => (typeof result === 'string' ? [result] : []));
  const findings = [
    ...presence(gpu, nowMs),
    ...freshness(gpu, driver, nowMs),
    ...slowness(gpu, driver),
    ...unreadable(gpu, driver, nowMs),
    ...judged.flatMap((result) =>
      result === null || typeof result === 'string' ? [] : [aged(result, gpu, nowMs)],
    ),
  ].sort(worstFirst);
  const looked = judged.some((result) => typeof result !== 'string');
  const sure = looked ? 'ok' : 'unknown';
  return {
    verdict: worst(verdicts, [...findings.map(({ verdict }) => verdict), sure], 'ok'),
    action: worst(
      actions,
      findings.map(({ action }) => action),
      'none',
    ),
    findings,
    unchecked,
  };
}

/** With what is known of a GPU from elsewhere; it makes no verdict better. */
export function withFinding(judged: Judgement, finding: Finding | null): Judgement {
  if (!finding) return judged;
  return {
    ...judged,
    verdict: worst(verdicts, [judged.verdict, finding.verdict], 'ok'),
    action: worst(actions, [judged.action, finding.action], 'none'),
    findings: [...judged.findings, finding].sort(worstFirst),
  };
}

function worstFirst(a: Finding, b: Finding): number {
  return verdicts.indexOf(b.verdict) - verdicts.indexOf(a.verdict);
}

/** A rule's finding, null where it found nothing, or what it could not look at. */
type Judged = Found | string;

const judgedBy = oncePerSample(({ readings }: GpuState): readonly Judged[] =>
  rules.map((rule) => apply(rule, readings)),
);

function apply(rule: Rule, readings: GpuReadings): Judged {
  const values: unknown[] = [];
  for (const name of rule.needs) {
    const reading: Reading<unknown> = readings[name];
    if ('missing' in reading) return hasInstead(rule, readings) ? null : `${rule.name}: ${reading.missing}`;
    values.push(reading.value);
  }
  return rule.check(values);
}

function aged(found: NonNullable<Found>, gpu: GpuState, nowMs: number): Finding {
  const evidence = found.evidence.map((fact) => ({ ...fact, ageMs: ageOf(fact.name, gpu, nowMs) }));
  return { ...found, evidence };
}

/** A reading that is taken rarely is older than the sample that tells it. */
function ageOf(name: keyof GpuReadings, gpu: GpuState, nowMs: number): number | null {
  const takenAtMs = lasts(name, gpu.readings[name]) ? gpu.slowReadAtMs : gpu.readAtMs;
  return takenAtMs === null ? null : Math.round(nowMs - takenAtMs);
}

function hasInstead({ insteadOf }: Rule, readings: GpuReadings): boolean {
  return insteadOf?.every((name) => 'value' in readings[name]) ?? false;
}

const absences = {
  lost: ['rebootNode', 'it is off the bus'],
  vanished: ['rebootNode', 'the driver no longer offers it'],
  hung: ['rebootNode', 'a driver call on it does not return'],
} as const;

/** Of a GPU whose driver calls do return, but not in time. */
export function lateText(againInMs: number): string {
  const again = againInMs > 0 ? `, and it is asked again in ${duration(againInMs)}` : '';
  return `a driver call on it has taken longer than ${duration(hangAfterMs)}${again}`;
}

function presence({ trouble }: GpuState, nowMs: number): Finding[] {
  if (!trouble) return [];
  const [action, words] = absences[trouble.kind];
  const { againAtMs } = trouble;
  const text = againAtMs === undefined ? words : lateText(againAtMs - nowMs);
  const forMs = Math.round(nowMs - trouble.sinceMs);
  const evidence = [
    { name: trouble.kind, value: forMs, unit: 'ms', threshold: null, source: 'agent', ageMs: 0 },
  ];
  return [{ verdict: 'failed', action, text: `${text}, for ${duration(forMs)}`, evidence }];
}

function freshness(gpu: GpuState, driver: DriverState, nowMs: number): Finding[] {
  if (gpu.trouble || (driver.state !== 'notResponding' && driver.state !== 'unavailable')) return [];
  const forMs = Math.round(nowMs - driver.sinceMs);
  const what = driver.state === 'unavailable' ? `is unavailable (${driver.code})` : 'is not responding';
  const left =
    gpu.readAtMs === null
      ? 'nothing is known of it since'
      : `values are ${duration(nowMs - gpu.readAtMs)} old`;
  const evidence = [
    { name: 'driver', value: driver.state, unit: null, threshold: null, source: 'agent', ageMs: 0 },
  ];
  return [
    {
      verdict: 'unknown',
      action: 'runDiagnostics',
      text: `the driver ${what}, for ${duration(forMs)}; ${left}`,
      evidence,
    },
  ];
}

/** Why its values are older than those of others. */
function slowness({ trouble, tookMs = 0 }: GpuState, driver: DriverState): Finding[] {
  if (trouble || driver.state !== 'ok' || tookMs < hangAfterMs) return [];
  const value = Math.round(tookMs);
  return [
    {
      verdict: 'watch',
      action: 'runDiagnostics',
      text: `the driver takes long to tell its values: ${duration(value)}`,
      evidence: [
        { name: 'readingTime', value, unit: 'ms', threshold: hangAfterMs, source: 'agent', ageMs: 0 },
      ],
    },
  ];
}

const ordinary: ReadonlySet<Missing> = new Set([
  'notSupported',
  'notSupportedByDriver',
  'noPermission',
  'noData',
]);

const failedIn = oncePerSample(({ readings }: GpuState) =>
  readingNames.flatMap((name) => {
    const reading = readings[name];
    return 'missing' in reading && !ordinary.has(reading.missing) ? [{ name, missing: reading.missing }] : [];
  }),
);

/** A reading that ought to be there and is not: the GPU is not called healthy on what is left. */
function unreadable(gpu: GpuState, driver: DriverState, nowMs: number): Finding[] {
  if (gpu.trouble || driver.state !== 'ok') return [];
  const failed = failedIn(gpu);
  const [first] = failed;
  if (!first) return [];
  const needsReset = failed.some(({ missing }) => missing === 'resetRequired');
  const evidence = failed.slice(0, 5).map(({ name, missing }) => ({
    name,
    value: missing,
    unit: null,
    threshold: null,
    source: symbolOf[name],
    ageMs: ageOf(name, gpu, nowMs),
  }));
  return [
    {
      verdict: needsReset ? 'failed' : 'unknown',
      action: needsReset ? 'resetGpu' : 'runDiagnostics',
      text: needsReset
        ? 'the driver refuses to read it until it is reset'
        : `${count(failed.length, 'reading')} failed: ${first.name} (${first.missing})${failed.length > 1 ? ', …' : ''}`,
      evidence,
    },
  ];
}
