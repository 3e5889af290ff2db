import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { PciGpu } from '../core/pci.ts';

const nvidia = '0x10de';
/** Display controllers: 0x0300 with outputs, 0x0302 without. */
const display = /^0x03/;

/**
 * NVIDIA's GPUs on the PCI bus, by address; null where the bus cannot be read. Virtual functions of a vGPU host are left
 * out: they are parts of GPUs. Source: Documentation/ABI/testing/sysfs-bus-pci.
 */
export async function gpusOnBus(folder = '/sys/bus/pci/devices'): Promise<readonly PciGpu[] | null> {
  const addresses = await readdir(folder).catch(() => null);
  if (addresses === null) return null;
  const found = await Promise.all(addresses.sort().map((address) => gpuAt(join(folder, address))));
  return found.filter((gpu) => gpu !== null);
}

async function gpuAt(device: string): Promise<PciGpu | null> {
  const textOf = async (name: string) => (await readFile(join(device, name), 'utf8').catch(() => '')).trim();
  if ((await textOf('vendor')) !== nvidia || !display.test(await textOf('class'))) return null;
  const isVirtual = await stat(join(device, 'physfn')).then(
    () => true,
    () => false,
  );
  if (isVirtual) return null;
  const driver = await readlink(join(device, 'driver')).catch(() => null);
  return {
    pciAddress: basename(device),
    deviceId: (await textOf('device')).replace(/^0x/, ''),
    kernelDriver: driver === null ? null : basename(driver),
  };
}

/** GPUs are put on a bus and taken off it, but rarely. */
const lookEveryMs = 60_000;

/** Gives what was on the bus last. Resolves when it has looked once. */
export async function watchPciBus(): Promise<() => readonly PciGpu[] | null> {
  let gpus = await gpusOnBus();
  setInterval(async () => {
    gpus = await gpusOnBus();
  }, lookEveryMs).unref();
  return () => gpus;
}
