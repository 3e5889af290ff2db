import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { gpusOnBus } from '../../src/server/pci-bus.ts';

interface Device {
  readonly vendor?: string;
  readonly class?: string;
  readonly device?: string;
  readonly driver?: string;
  readonly isVirtualFunction?: boolean;
}

/** A folder as the kernel makes it for its PCI devices. */
function busOf(devices: Readonly<Record<string, Device>>): string {
  const root = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-pci-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [address, given] of Object.entries(devices)) {
    const folder = join(root, address);
    mkdirSync(folder);
    const { vendor = '0x10de', class: kind = '0x030200', device = '0x2330', driver } = given;
    for (const [name, text] of Object.entries({ vendor, class: kind, device }))
      writeFileSync(join(folder, name), `${text}\n`);
    if (driver !== undefined) symlinkSync(`../../../../bus/pci/drivers/${driver}`, join(folder, 'driver'));
    if (given.isVirtualFunction) symlinkSync('..', join(folder, 'physfn'));
  }
  return root;
}

test('GPUs on the PCI bus are told with the driver that the kernel gave them', async () => {
  const bus = busOf({
    '10000:3b:00.0': { driver: 'nvidia' },
    '0000:5e:00.0': { driver: 'vfio-pci', class: '0x030000', device: '0x1eb8' },
    '0000:86:00.0': {},
  });

  expect(await gpusOnBus(bus)).toEqual([
    { pciAddress: '0000:5e:00.0', deviceId: '1eb8', kernelDriver: 'vfio-pci' },
    { pciAddress: '0000:86:00.0', deviceId: '2330', kernelDriver: null },
    { pciAddress: '10000:3b:00.0', deviceId: '2330', kernelDriver: 'nvidia' },
  ]);
});

test('what else NVIDIA makes, what others make, and parts of GPUs are no GPUs', async () => {
  const bus = busOf({
    '0000:01:00.0': { class: '0x068000' }, // an NVSwitch
    '0000:02:00.1': { class: '0x040300' }, // the sound of a board with outputs
    '0000:03:00.0': { vendor: '0x8086', class: '0x030000' },
    '0000:04:00.4': { isVirtualFunction: true },
  });

  expect(await gpusOnBus(bus)).toEqual([]);
});

test('where the bus cannot be read nobody says that it is empty', async () => {
  expect(await gpusOnBus('/no/such/bus')).toBeNull();
});
