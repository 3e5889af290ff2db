import { troubleText } from './gpu-text.ts';
import { linkTroubles, noneUp, troublesText } from './link-text.ts';
import type { GpuTopologyRow } from './topology-gpu.ts';
import { reachedKinds, unreachedText } from './topology-matrix.ts';

/** What is to be expected of a GPU, as equal ones have it anywhere. */
export interface Equals {
  /** Of the links of each model, in MB/s. */
  readonly fastest: ReadonlyMap<string | null, number>;
  /** How many links a GPU of each model has. */
  readonly most: ReadonlyMap<string | null, number>;
  /** Models of which a GPU has a link that is up. */
  readonly linked: ReadonlySet<string | null>;
  readonly reached: ReadonlySet<string>;
}

export function equalsOf(nodes: readonly (readonly GpuTopologyRow[])[]): Equals {
  const fastest = new Map<string | null, number>();
  const linked = new Set<string | null>();
  for (const { gpu } of nodes.flat())
    for (const { active, speedMegabytesPerSecond: speed } of gpu.nvlinks ?? []) {
      fastest.set(gpu.name, Math.max(fastest.get(gpu.name) ?? 0, speed ?? 0));
      if (active) linked.add(gpu.name);
    }
  return { fastest, most: mostLinks(nodes.flat()), linked, reached: reachedKinds(nodes) };
}

function mostLinks(gpus: readonly GpuTopologyRow[]): Map<string | null, number> {
  const most = new Map<string | null, number>();
  for (const { gpu } of gpus) most.set(gpu.name, Math.max(most.get(gpu.name) ?? 0, gpu.nvlinks?.length ?? 0));
  return most;
}

/** A board that is plugged into NVSwitches or an NVLink baseboard; others have links that a bridge may join, or none. */
export function livesOnNvlink({ name, fabric: net }: GpuTopologyRow['gpu']): boolean {
  return (net !== null && net.state !== 'notSupported') || /SXM/.test(name ?? '');
}

/** What is wrong with how a GPU is connected: a text for each kind of trouble. */
export function troublesOfGpu(
  row: GpuTopologyRow,
  gpus: readonly GpuTopologyRow[],
  { fastest, most, linked, reached }: Equals,
): string[] {
  const { name, nvlinks } = row.gpu;
  const down = nvlinks !== null && noneUp(nvlinks);
  const expected = linked.has(name) || livesOnNvlink(row.gpu);
  const troubles = linkTroubles(nvlinks ?? [], fastest.get(name) ?? null);
  const texts = [
    troubleText(row.gpu) ?? unknownLinksText(row.gpu),
    fewerText(nvlinks?.length, most.get(name)),
    down && expected ? 'none of its NVLinks is up' : null,
    troublesText(down ? { ...troubles, down: [] } : troubles),
    unreachedText(row, gpus, reached),
  ];
  return texts.filter((text) => text !== null);
}

/** `NVLinks not known (nvmlReturn999)`; null where they are, or the board has none. */
export function unknownLinksText({ missing }: GpuTopologyRow['gpu']): string | null {
  const reason = missing['nvlinks'];
  return reason === undefined || /^notSupported|^notKnownToAgent/.test(reason)
    ? null
    : `NVLinks not known (${reason})`;
}

function fewerText(links: number | undefined, most: number | undefined): string | null {
  return links !== undefined && most !== undefined && links < most
    ? `${links} NVLinks, where its equals have ${most}`
    : null;
}
