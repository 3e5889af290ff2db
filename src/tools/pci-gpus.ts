import { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
import { type PciGpu, pciSlot } from '../core/pci.ts';
import { orNull } from '../core/reading.ts';
import { count } from '../core/words.ts';
import type { NodeContext } from './tool.ts';

export const pciGpu = z.object({
  pciAddress: z.string(),
  deviceId: z.string(),
  kernelDriver: z.string().nullable(),
});

export const notInNvmlRow = z.object({
  kind: z.literal('notInNvml'),
  node: z.string(),
  gpus: z.array(pciGpu),
});

/** GPUs on the bus that the driver does not show. None while not every GPU has told where it is. */
export function notInNvmlOf({ snapshot, pciGpus }: NodeContext): PciGpu[] {
  const shown = snapshot.gpus.map(({ readings }) => orNull(readings.pciAddress));
  if (snapshot.driver.state === 'starting' || shown.includes(null)) return [];
  const slots = new Set(shown.map((address) => pciSlot(address ?? '')));
  return (pciGpus ?? []).filter(({ pciAddress }) => !slots.has(pciSlot(pciAddress)));
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
