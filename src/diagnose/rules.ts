import type { RecoveryAction } from '../core/errors-readings.ts';
import { type GpuReadings, symbolOf } from '../core/gpu.ts';
import type { Reading } from '../core/reading.ts';
import type { Action, Finding, Verdict } from './verdict.ts';

type Values<Names extends readonly (keyof GpuReadings)[]> = {
  [I in keyof Names]: GpuReadings[Names[I]] extends Reading<infer Value> ? Value : never;
};

/** What a rule found: a finding whose evidence has no age yet, or null when there is nothing to say. */
export type Found = {
  verdict: Verdict;
  action: Action;
  text: string;
  evidence: readonly EvidenceDraft[];
} | null;
type EvidenceDraft = Omit<Finding['evidence'][number], 'name' | 'ageMs'> & {
  readonly name: keyof GpuReadings;
};

/** Judges a GPU by some of its readings. Without one of them the rule says nothing, and the answer says so. */
export interface Rule {
  readonly name: string;
  readonly needs: readonly (keyof GpuReadings)[];
  /** Where these can be read, the GPU is of a generation that has them instead, and nothing is left unchecked. */
  readonly insteadOf?: readonly (keyof GpuReadings)[];
  check(values: readonly unknown[]): Found;
}

function rule<const Names extends readonly (keyof GpuReadings)[]>(
  name: string,
  needs: Names,
  check: (...values: Values<Names>) => Found,
): Rule {
  return { name, needs, check: (values) => check(...(values as Values<Names>)) };
}

function fact(
  name: keyof GpuReadings,
  value: EvidenceDraft['value'],
  unit: string | null = null,
  threshold: EvidenceDraft['threshold'] = null,
): EvidenceDraft {
  return { name, value, unit, threshold, source: symbolOf[name] };
}

/** Degrees below its slowdown threshold at which a GPU deserves a look: fans and dust, not yet harm. */
const warmMarginC = 5;

const shutdown = rule('shutdown temperature', ['temperatureC', 'shutdownTemperatureC'], (now, limit) =>
  now < limit
    ? null
    : {
        verdict: 'failed',
        action: 'drain',
        text: `${now} °C, at or above its shutdown threshold of ${limit} °C`,
        evidence: [fact('temperatureC', now, '°C', limit)],
      },
);

const slowdown = rule('slowdown temperature', ['temperatureC', 'slowdownTemperatureC'], (now, limit) => {
  if (now < limit - warmMarginC) return null;
  const hot = now >= limit;
  return {
    verdict: hot ? 'degraded' : 'watch',
    action: hot ? 'runDiagnostics' : 'none',
    text: `${now} °C, ${hot ? 'at or above' : `within ${warmMarginC} °C of`} its slowdown threshold of ${limit} °C`,
    evidence: [fact('temperatureC', now, '°C', limit)],
  };
});

/** Hopper and newer count down to their limits, and have no thresholds in degrees. */
const shutdownMargin = rule('shutdown margin', ['temperatureMarginC', 'shutdownMarginC'], (margin, limit) =>
  margin > limit
    ? null
    : {
        verdict: 'failed',
        action: 'drain',
        text: `a temperature margin of ${margin} °C, at or below its shutdown margin of ${limit} °C`,
        evidence: [fact('temperatureMarginC', margin, '°C', limit)],
      },
);

const slowdownMargin = rule('slowdown margin', ['temperatureMarginC', 'slowdownMarginC'], (margin, limit) => {
  if (margin > limit + warmMarginC) return null;
  const hot = margin <= limit;
  return {
    verdict: hot ? 'degraded' : 'watch',
    action: hot ? 'runDiagnostics' : 'none',
    text: `a temperature margin of ${margin} °C, ${hot ? 'at or below' : `within ${warmMarginC} °C of`} its slowdown margin of ${limit} °C`,
    evidence: [fact('temperatureMarginC', margin, '°C', limit)],
  };
});

const hardwareReasons = ['hwSlowdown', 'hwThermalSlowdown', 'hwPowerBrakeSlowdown'] as const;

const hardwareSlowdown = rule('hardware slowdown', ['clocksEventReasons'], (reasons) => {
  const active = hardwareReasons.filter((reason) => reasons.includes(reason));
  if (active.length === 0) return null;
  return {
    verdict: 'degraded',
    action: 'runDiagnostics',
    text: `the hardware holds its clocks down: ${active.join(', ')}`,
    evidence: [fact('clocksEventReasons', active.join(','))],
  };
});

// Only of this driver life: a lifetime count never goes back to zero, and an old, remapped error is no longer harm.
const uncorrectableEcc = rule('uncorrectable ECC errors', ['eccUncorrectedVolatile'], (count) =>
  count === 0
    ? null
    : {
        verdict: 'degraded',
        action: 'resetGpu',
        text: `${count} uncorrectable ECC ${count === 1 ? 'error' : 'errors'} since the driver was loaded`,
        evidence: [fact('eccUncorrectedVolatile', count, 'errors', 0)],
      },
);

const rowRemapFailure = rule('row remap failure', ['remappedRows'], ({ failed }) =>
  failed
    ? {
        verdict: 'failed',
        action: 'replace',
        text: 'a memory row could not be remapped',
        evidence: [fact('remappedRows', true, null, false)],
      }
    : null,
);

const rowRemapPending = rule('pending row remap', ['remappedRows'], ({ pending }) =>
  pending
    ? {
        verdict: 'degraded',
        action: 'resetGpu',
        text: 'a row remap waits for a GPU reset',
        evidence: [fact('remappedRows', true, null, false)],
      }
    : null,
);

const pageRetirementPending = rule('pending page retirement', ['retiredPagesPending'], (pending) =>
  pending
    ? {
        verdict: 'degraded',
        action: 'resetGpu',
        text: 'a page retirement waits for a GPU reset',
        evidence: [fact('retiredPagesPending', true, null, false)],
      }
    : null,
);

const recoveries: Partial<Record<RecoveryAction, readonly [Verdict, Action, string]>> = {
  gpuReset: ['failed', 'resetGpu', 'the driver asks for a GPU reset'],
  nodeReboot: ['failed', 'rebootNode', 'the driver asks for a reboot of the node'],
  drainP2P: ['degraded', 'drain', 'the driver asks to drain peer-to-peer traffic'],
  drainAndReset: ['failed', 'resetGpu', 'the driver asks to drain the GPU and reset it'],
  recoverImexDomain: ['degraded', 'contactSupport', 'the driver asks to recover the IMEX domain'],
};

const driverVerdict = rule("the driver's recovery action", ['recoveryAction'], (recovery) => {
  if (recovery === 'none') return null;
  const [verdict, action, text] = recoveries[recovery] ?? [
    'unknown' as const,
    'runDiagnostics' as const,
    `the driver asks for a recovery action we do not know: ${recovery}`,
  ];
  return { verdict, action, text, evidence: [fact('recoveryAction', recovery, null, 'none')] };
});

const rowRemaps = { insteadOf: ['retiredPagesPending'] } as const;
const pageRetirements = { insteadOf: ['remappedRows'] } as const;

/**
 * Deliberately absent: full memory, a power cap, idle clocks, lifetime error counts. They are normal on a busy GPU,
 * and a monitor that cries wolf is switched off.
 */
export const rules: readonly Rule[] = [
  { ...shutdown, insteadOf: shutdownMargin.needs },
  { ...slowdown, insteadOf: slowdownMargin.needs },
  { ...shutdownMargin, insteadOf: shutdown.needs },
  { ...slowdownMargin, insteadOf: slowdown.needs },
  hardwareSlowdown,
  uncorrectableEcc,
  { ...rowRemapFailure, ...rowRemaps },
  { ...rowRemapPending, ...rowRemaps },
  { ...pageRetirementPending, ...pageRetirements },
  driverVerdict,
];
