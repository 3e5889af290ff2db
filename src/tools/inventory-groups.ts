import { z } from 'zod';

import { byName, foldNames } from '../core/names.ts';
import { gibibytes } from '../core/words.ts';
import { modeText, troubleText } from './gpu-text.ts';
import type { GpuRow } from './inventory-row.ts';
import { migProfilesOf, migProfilesText } from './mig-text.ts';
import { missingText } from './missing-text.ts';
import { software, softwareText } from './software.ts';
import type { Answer } from './tool.ts';

export const model = z.object({ name: z.string().nullable(), count: z.int() });
export const group = z.object({
  kind: z.literal('equalNodes'),
  nodes: z.array(z.string()),
  simulated: z.boolean(),
  software,
  gpus: z.array(
    model.extend({
      memoryTotalBytes: z.number().nullable(),
      powerLimitWatts: z.number().nullable(),
      migMode: z.string().nullable(),
      migProfiles: z.record(z.string(), z.int()).nullable().describe('MIG devices on each GPU, by profile'),
      eccMode: z.string().nullable(),
      persistenceMode: z.boolean().nullable(),
      missing: z.record(z.string(), z.string()).describe('field → why it is null'),
    }),
  ),
});
export type Group = z.output<typeof group>;

/** What of a node's answer makes it equal to others. */
interface Grouped {
  readonly simulated: boolean;
  readonly driver: { readonly problem: object | null };
  readonly gpus: readonly GpuRow[];
}

/** And says who it is. */
export function isThere(gpu: GpuRow): boolean {
  return troubleText(gpu) === null && gpu.name !== null;
}

/** Nodes that are equal in everything an inventory counts; rare kinds first. */
export function groups(answers: readonly Answer<Grouped>[]): Group[] {
  const byKind = new Map<string, Group>();
  for (const { node, value } of answers) {
    const there = value.gpus.filter(isThere);
    if (there.length === 0 && (value.driver.problem || value.gpus.length > 0)) continue;
    const kind = { simulated: value.simulated, software: software.parse(value.driver), gpus: kindsOf(there) };
    const key = JSON.stringify(kind);
    const group = byKind.get(key) ?? { kind: 'equalNodes', nodes: [], ...kind };
    byKind.set(key, { ...group, nodes: [...group.nodes, node] });
  }
  return [...byKind.values()].sort(
    (a, b) => a.nodes.length - b.nodes.length || byName(a.nodes[0] ?? '', b.nodes[0] ?? ''),
  );
}

/** The readings that make a kind of GPU. */
const counted = new Set(['memory', 'powerLimitWatts', 'migMode', 'migDevices', 'eccMode', 'persistenceMode']);

function kindsOf(gpus: readonly GpuRow[]): Group['gpus'] {
  const kinds = new Map<string, Group['gpus'][number]>();
  for (const gpu of gpus) {
    const kind = {
      name: gpu.name,
      memoryTotalBytes: gpu.memory?.totalBytes ?? null,
      powerLimitWatts: gpu.powerLimitWatts,
      migMode: gpu.migMode && modeText(gpu.migMode),
      migProfiles: gpu.migDevices && migProfilesOf(gpu.migDevices),
      eccMode: gpu.eccMode && modeText(gpu.eccMode),
      persistenceMode: gpu.persistenceMode,
      missing: Object.fromEntries(Object.entries(gpu.missing).filter(([field]) => counted.has(field))),
    };
    const key = JSON.stringify(kind);
    kinds.set(key, { ...kind, count: (kinds.get(key)?.count ?? 0) + 1 });
  }
  return [...kinds.values()];
}

export function groupText({ nodes, software: versions, gpus }: Group): string {
  const kinds = gpus.map((gpu) =>
    [
      `${gpu.count} × ${gpu.name ?? 'unknown model'}`,
      gpu.memoryTotalBytes !== null && gibibytes(gpu.memoryTotalBytes),
      gpu.powerLimitWatts !== null && `limit ${gpu.powerLimitWatts} W`,
      gpu.eccMode && `ECC ${gpu.eccMode}`,
      gpu.migMode && `MIG ${gpu.migMode}${migProfilesText(gpu.migProfiles ?? {})}`,
      gpu.persistenceMode !== null && `persistence ${gpu.persistenceMode ? 'on' : 'off'}`,
      missingText(gpu.missing),
    ]
      .filter(Boolean)
      .join(', '),
  );
  const each = nodes.length > 1 ? ` each (${nodes.length} nodes)` : '';
  return `${foldNames(nodes)}${each}: ${kinds.join('; ') || 'no GPU'}; ${softwareText(versions, { full: false })}`;
}
