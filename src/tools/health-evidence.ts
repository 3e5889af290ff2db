import type { z } from 'zod';

import { gpuRowOf } from './gpu-row.ts';
import {
  errorShape,
  evidenceShape,
  heatShape,
  identityShape,
  linkShape,
  modeShape,
  pcieShape,
  powerShape,
  throttleShape,
} from './gpu-shape.ts';
import { after, clocksHeldText, fabricText, modeText, pcieTexts } from './gpu-text.ts';
import { heatText } from './heat-text.ts';
import { fastestOf, linksText, linkTroubles, troublesText, unreadCounters } from './link-text.ts';
import { missingText } from './missing-text.ts';

const { fabric } = modeShape;
const { clocksEventReasons } = powerShape;
const { inforomValid } = identityShape;

/** All that the driver counts of a GPU's troubles, and all states that speak of one. */
export const evidenceRow = gpuRowOf({
  ...errorShape,
  ...evidenceShape,
  ...throttleShape,
  ...pcieShape,
  ...heatShape,
  ...linkShape,
  fabric,
  clocksEventReasons,
  inforomValid,
});
export type EvidenceRow = z.output<typeof evidenceRow.schema>;

const counterNames = Object.keys({ ...errorShape, ...evidenceShape, ...throttleShape }).filter(
  (name) => !['eccMode', 'recoveryAction', 'eccLocations'].includes(name),
);

/** `55 °C (slowdown 89), eccUncorrectedVolatile 4, remappedRows uncorrectable 1 pending yes, all other counters 0, missing: …`. */
export function evidenceText(row: EvidenceRow): string {
  return [
    heatText(row),
    clocksHeldText(row),
    ...countersTexts(row),
    ...statesTexts(row),
    missingText(row.missing),
  ]
    .filter(Boolean)
    .join(', ');
}

function countersTexts(row: EvidenceRow): (string | null)[] {
  const values = row as Readonly<Record<string, unknown>>;
  const named = counterNames
    .map((name) => [name, values[name]] as const)
    .filter(([, value]) => value !== null);
  const places = (row.eccLocations ?? []).map(
    ({ location, ...counts }) => [`ECC in ${location}`, counts] as const,
  );
  const links = linkTroubles(row.nvlinks ?? [], fastestOf(row.nvlinks ?? []));
  const found = [...named, ...places].flatMap(([name, value]) => troubleOf(name, value) ?? []);
  const some = found.length > 0 || links.errors.length > 0 ? 'all other counters' : 'all counters';
  return [
    ...found,
    troublesText(links),
    named.length > 0 ? `${some}${hasUnread(row) ? ' that could be read' : ''} 0` : null,
  ];
}

/** Not for want of a feature: what was not read may be anything. */
function hasUnread({ missing, nvlinks }: EvidenceRow): boolean {
  const reasons = [...counterNames, 'eccLocations', 'nvlinks'].map((name) => missing[name] ?? 'notSupported');
  return (
    reasons.some((reason) => !reason.startsWith('notSupported')) || unreadCounters(nvlinks ?? []).length > 0
  );
}

function statesTexts(row: EvidenceRow): (string | null)[] {
  const { eccMode, recoveryAction, nvlinks, inforomValid: valid } = row;
  return [
    eccMode && `ECC ${modeText(eccMode)}`,
    after('memory banks with all spare rows', row.rowRemapHistogram?.max ?? null),
    after('recovery action', recoveryAction),
    valid === null ? null : `InfoROM ${valid ? 'valid' : 'CORRUPTED'}`,
    nvlinks && linksText(nvlinks),
    row.fabric && fabricText(row.fabric),
    after('PCIe', pcieTexts(row).filter(Boolean).join(', ') || null),
  ];
}

/** The part of a counter that is not 0 or no; null where there is none. */
function troubleOf(name: string, value: unknown): string | null {
  if (name === 'rowRemapHistogram') return banksText(value as NonNullable<EvidenceRow['rowRemapHistogram']>);
  if (typeof value !== 'object' || value === null) return isTrouble(value) ? `${name} ${shown(value)}` : null;
  const parts = Object.entries(value).filter(([, part]) => isTrouble(part));
  return parts.length > 0
    ? `${name} ${parts.map(([part, count]) => `${part} ${shown(count)}`).join(' ')}`
    : null;
}

/** Banks that have all their spare rows are no trouble. */
function banksText({ max, ...used }: NonNullable<EvidenceRow['rowRemapHistogram']>): string | null {
  const parts = Object.entries(used).filter(([, banks]) => banks > 0);
  return parts.length > 0
    ? `memory banks with spare rows left: max ${max} ${parts.map(([left, banks]) => `${left} ${banks}`).join(' ')}`
    : null;
}

function isTrouble(value: unknown): boolean {
  return value === true || (typeof value === 'number' && value > 0);
}

function shown(value: unknown): string {
  return value === true ? 'yes' : String(value);
}
