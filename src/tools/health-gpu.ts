import { z } from 'zod';

import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { duration } from '../core/words.ts';
import { type Judgement, judge, withFinding } from '../diagnose/judge.ts';
import { actions, type Verdict, verdicts } from '../diagnose/verdict.ts';
import { actionText } from './action-text.ts';
import { isMuchOlder, readText } from './age-text.ts';
import { type HealthEvents, healthEvents, isEventFact } from './health-events.ts';
import { evidenceRow, evidenceText } from './health-evidence.ts';
import { oldestOf } from './node-answer.ts';
import type { NodeContext } from './tool.ts';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const evidence = z.object({
  name: z.string(),
  value: scalar,
  unit: z.string().nullable(),
  threshold: scalar.nullable(),
  source: z.string(),
  ageMs: z.number().nullable(),
});
/** What is known of the health of one GPU. */
export const gpuHealth = z.object({
  index: z.int(),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  pciAddress: z.string().nullable(),
  ageMs: z.number().nullable(),
  verdict: z.enum(verdicts).catch('unknown'), // a newer agent may know more words; it is not silenced for one
  action: z.string().describe(actions.join(', ')),
  findings: z.array(
    z.object({
      verdict: z.enum(verdicts).catch('unknown'),
      action: z.string(),
      text: z.string(),
      evidence: z.array(evidence),
    }),
  ),
  /** The driver's own verdict, beside ours; null where the driver gives none. */
  driverRecoveryAction: z.string().nullable(),
  unchecked: z.array(z.string()).describe('what could not be looked at, and why'),
  /** An agent of an older version does not tell it. */
  counters: evidenceRow.schema.optional(),
});
export type GpuHealth = z.output<typeof gpuHealth>;

/** Of every GPU of a node, as the answer gives them. */
export function verdictsOf(node: NodeContext): Verdict[] {
  const events = healthEvents(node);
  return node.snapshot.gpus.map((state) => judgementOf(state, node, events).verdict);
}

function judgementOf(state: GpuState, { snapshot, nowMs }: NodeContext, events: HealthEvents): Judgement {
  return withFinding(judge(state, snapshot.driver, nowMs), events.findingOf(state));
}

export function healthOf(state: GpuState, node: NodeContext, events: HealthEvents): GpuHealth {
  const { readings } = state;
  const { nowMs } = node;
  const { verdict, action, findings, unchecked } = judgementOf(state, node, events);
  return {
    index: state.index,
    name: orNull(readings.name),
    uuid: orNull(readings.uuid),
    pciAddress: orNull(readings.pciAddress),
    ageMs: state.readAtMs === null ? null : Math.round(nowMs - state.readAtMs),
    verdict,
    action,
    findings: findings.map((finding) => ({ ...finding, evidence: [...finding.evidence] })),
    driverRecoveryAction: orNull(readings.recoveryAction),
    unchecked: [...unchecked, ...events.uncheckedOf(state)],
    counters: evidenceRow.of(state, nowMs),
  };
}

export function gpuText(node: string, gpu: GpuHealth, full: boolean): string {
  const found = gpu.findings.map((finding) => findingText(finding, gpu.ageMs)).join('; ') || 'nothing found';
  const lines = [
    `${gpu.verdict}: ${node} GPU ${gpu.index} (${whatText(gpu, full)}): ${found}`,
    gpu.action !== 'none' && `Action ${actionText(gpu.action)}`,
    full && gpu.driverRecoveryAction && `Driver's own recovery action: ${gpu.driverRecoveryAction}`,
    full &&
      gpu.findings.length > 0 &&
      `Evidence: ${gpu.findings.flatMap((f) => f.evidence.map(factText)).join(', ')}`,
    full && gpu.unchecked.length > 0 && `Not checked: ${gpu.unchecked.join(', ')}`,
    full && gpu.counters && `Readings: ${evidenceText(gpu.counters)}`,
  ];
  return lines.filter(Boolean).join('. ');
}

/** Its names, and when it was read. */
function whatText({ name, pciAddress, uuid, ageMs, counters }: GpuHealth, full: boolean): string {
  const read = readText(full && counters ? { ...counters, ageMs } : { ageMs, slowAgeMs: null }) ?? 'not read';
  return [name, pciAddress && `PCI ${pciAddress}`, full && uuid, read].filter(Boolean).join(', ');
}

/** With its own age where it rests on what was not read with the rest. */
function findingText({ text, evidence: facts }: GpuHealth['findings'][number], ageMs: number | null): string {
  const oldestMs = oldestOf(facts.filter((fact) => !isEventFact(fact)).map((fact) => fact.ageMs));
  return ageMs !== null && isMuchOlder(oldestMs, ageMs) ? `${text} (read ${duration(oldestMs)} ago)` : text;
}

function factText({ name, value, unit, threshold, source }: z.output<typeof evidence>): string {
  const against = threshold === null ? '' : ` against ${threshold}`;
  return `${name}=${value}${unit ? ` ${unit}` : ''}${against} [${source}]`;
}
