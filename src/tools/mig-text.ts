import { groupBy } from '../core/group-by.ts';
import { byName } from '../core/names.ts';
import { gibibytes } from '../core/words.ts';
import type { MigRow } from './gpu-shape.ts';
import { missingText } from './missing-text.ts';

/** `1g.10gb`, of the name of a MIG device. */
function migProfile(name: string | null): string {
  return name?.replace(/^.* MIG /, '') ?? 'unknown';
}

export function migText(devices: readonly MigRow[]): string {
  const each = devices.map(
    ({ index, name, uuid, gpuInstanceId, computeInstanceId, memory, slices, missing }) =>
      [
        `${index}: ${migProfile(name)}`,
        uuid,
        `GI ${gpuInstanceId ?? '?'} CI ${computeInstanceId ?? '?'}`,
        slices && `${slices.multiprocessors} SMs`,
        memory && `${gibibytes(memory.usedBytes)} of ${gibibytes(memory.totalBytes)} used`,
        missingText(missing),
      ]
        .filter(Boolean)
        .join(' '),
  );
  return `MIG devices ${each.join('; ')}`;
}

/** How many devices of each profile. */
export function migProfilesOf(devices: readonly MigRow[]): Record<string, number> {
  const profiles = groupBy(devices, ({ name }) => migProfile(name));
  return Object.fromEntries(
    [...profiles].sort(([a], [b]) => byName(a, b)).map(([name, each]) => [name, each.length]),
  );
}

/** ` with 2 × 1g.10gb, 1 × 3g.40gb`. */
export function migProfilesText(profiles: Readonly<Record<string, number>>): string {
  const each = Object.entries(profiles).map(([profile, number]) => `${number} × ${profile}`);
  return each.length > 0 ? ` with ${each.join(', ')}` : '';
}
