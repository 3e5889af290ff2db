import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import { foldNames } from '../core/names.ts';
import { pciSlot } from '../core/pci.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { count } from '../core/words.ts';
import type { Answer, NodeContext } from './tool.ts';

const pciGpu = z.object({
  pciAddress: z.string(),
  deviceId: z.string(),
  kernelDriver: z.string().nullable(),
});

export const notInNvmlRow = z.object({
  kind: z.literal('notInNvml'),
  node: z.string(),
  gpus: z.array(pciGpu),
});

export const notComparedRow = z.object({
  kind: z.literal('notCompared'),
  nodes: z.array(z.string()),
  reason: z.string(),
});

/** What an answer tells of it. An agent of an older version does not look; one that cannot tell says why. */
export const hiddenShape = {
  notInNvml: z.array(pciGpu).optional(),
  notInNvmlUnknown: z.string().optional(),
};
type Hidden = z.output<z.ZodObject<typeof hiddenShape>>;

/** GPUs on the bus that the driver does not show, or why it is not known which these are. */
export function hiddenOf({ snapshot: { driver, gpus, simulated }, pciGpus }: NodeContext): Hidden {
  if (driver.state === 'starting' || gpus.some(isAwaited)) return {}; // for a moment only
  const silent = gpus.flatMap(({ index, readings: { pciAddress: address } }) =>
    'missing' in address ? [`GPU ${index} has not told its address (${address.missing})`] : [],
  );
  if (silent.length > 0) return { notInNvmlUnknown: silent.join(', ') };
  if (simulated) return { notInNvml: [] };
  if (pciGpus === null) return { notInNvmlUnknown: 'the PCI bus cannot be read' };
  const slots = new Set(gpus.map(({ readings }) => pciSlot(orNull(readings.pciAddress) ?? '')));
  return { notInNvml: pciGpus.filter(({ pciAddress }) => !slots.has(pciSlot(pciAddress))) };
}

/** In the first sample of a driver life. */
function isAwaited({ readAtMs, trouble, readings: { pciAddress: address } }: GpuState): boolean {
  return readAtMs === null && trouble === null && 'missing' in address && address.missing === 'notReady';
}

type Row = z.output<typeof notInNvmlRow> | z.output<typeof notComparedRow>;

/** A row for each node with hidden GPUs, and one for each reason why others cannot tell. */
export function hiddenRows(answers: readonly Answer<Hidden>[]): Row[] {
  const hidden = answers.flatMap(({ node, value: { notInNvml: gpus = [] } }): Row[] =>
    gpus.length > 0 ? [{ kind: 'notInNvml', node, gpus }] : [],
  );
  const untold = answers.filter(({ value }) => value.notInNvmlUnknown !== undefined);
  const byReason = groupBy(untold, ({ value }) => value.notInNvmlUnknown ?? '');
  return [
    ...hidden,
    ...[...byReason].map(
      ([reason, those]): Row => ({ kind: 'notCompared', nodes: those.map(({ node }) => node), reason }),
    ),
  ];
}

/** `gpu-[1-3]: GPUs on the PCI bus cannot be compared with those of the driver, because the PCI bus cannot be read`. */
export function notComparedText({ nodes, reason }: z.output<typeof notComparedRow>): string {
  return `${foldNames(nodes)}: GPUs on the PCI bus cannot be compared with those of the driver, because ${reason}`;
}

/** `gpu-1: 2 GPUs on the PCI bus that the driver does not show: 0000:3b:00.0, 0000:5e:00.0 (vfio-pci is bound)`. */
export function notInNvmlText({ node, gpus }: z.output<typeof notInNvmlRow>): string {
  const byDriver = [...groupBy(gpus, ({ kernelDriver }) => kernelDriver)].map(
    ([driver, those]) => `${those.map(({ pciAddress }) => pciAddress).join(', ')} (${whyHidden(driver)})`,
  );
  return `${node}: ${count(gpus.length, 'GPU')} on the PCI bus that the driver does not show: ${byDriver.join('; ')}`;
}

function whyHidden(kernelDriver: string | null): string {
  if (kernelDriver === null) return 'no kernel driver is bound';
  if (kernelDriver === 'nvidia')
    return 'nvidia is bound: it could not start them, see the kernel log, or this container was not given them';
  return `${kernelDriver} is bound`;
}
