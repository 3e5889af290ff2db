import type { z } from 'zod';

import { gpuRowOf } from './gpu-row.ts';
import { errorShape, evidenceShape, linkShape, modeShape, pcieShape, throttleShape } from './gpu-shape.ts';
import { after, fabricText, missingText, modeText, pcieTexts } from './gpu-text.ts';
import { linksText, linkTroubles, troublesText } from './link-text.ts';

const { fabric } = modeShape;

/** All that the driver counts of a GPU's troubles, and all states that speak of one. */
export const evidenceRow = gpuRowOf({
  ...errorShape,
  ...evidenceShape,
  ...throttleShape,
  ...pcieShape,
  ...linkShape,
  fabric,
});
export type EvidenceRow = z.output<typeof evidenceRow.schema>;

const notCounters = new Set(['index', 'ageMs', 'slowAgeMs', ...Object.keys(pcieShape)]);

/** `eccUncorrectedVolatile 4, remappedRows uncorrectable 1 pending yes, all other counters 0, missing: …`. */
export function evidenceText(row: EvidenceRow): string {
  const {
    trouble: _,
    missing,
    eccMode,
    recoveryAction,
    fabric: net,
    eccLocations,
    nvlinks,
    ...counters
  } = row;
  const named = Object.entries(counters).filter(([name, value]) => !notCounters.has(name) && value !== null);
  const places = (eccLocations ?? []).map(
    ({ location, ...counts }) => [`ECC in ${location}`, counts] as const,
  );
  const found = [...named, ...places].flatMap(([name, value]) => troubleOf(name, value) ?? []);
  const others = found.length > 0 ? 'all other counters 0' : 'all counters 0';
  const states = [
    eccMode && `ECC ${modeText(eccMode)}`,
    recoveryAction && `recovery action ${recoveryAction}`,
    nvlinks && linksText(nvlinks),
    nvlinks && troublesText(linkTroubles(nvlinks, null)),
    net && fabricText(net),
    after('PCIe', pcieTexts(row).filter(Boolean).join(', ') || null),
  ];
  return [...found, named.length > 0 && others, ...states, missingText(missing)].filter(Boolean).join(', ');
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
function banksText({ max: _, ...used }: NonNullable<EvidenceRow['rowRemapHistogram']>): string | null {
  const parts = Object.entries(used).filter(([, banks]) => banks > 0);
  return parts.length > 0
    ? `memory banks with spare rows left: ${parts.map(([left, banks]) => `${left} ${banks}`).join(' ')}`
    : null;
}

function isTrouble(value: unknown): boolean {
  return value === true || (typeof value === 'number' && value > 0);
}

function shown(value: unknown): string {
  return value === true ? 'yes' : String(value);
}
