import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { PciGpu } from '../../src/core/pci.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { present } from '../../src/tools/present.ts';
import { contextOf } from '../support/answers.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const onBus = (pciAddress: string, kernelDriver: string | null = 'nvidia'): PciGpu => ({
  pciAddress,
  deviceId: '2330',
  kernelDriver,
});

/** The lines of an inventory of one node. */
function ask(seen: Snapshot, pciGpus: readonly PciGpu[] | null, given: object = {}): string[] {
  const args = parseArguments(inventory.input, given);
  const value = inventory.answer(args, { ...contextOf(seen), pciGpus });
  const answers = [{ node: 'gpu-1', value: inventory.output.parse(JSON.parse(JSON.stringify(value))) }];
  return present(inventory, parseArguments(fleetInput(inventory), given), answers).text.split('\n');
}

test('GPUs on the PCI bus that the driver does not show are told first, with who has them', () => {
  const [head, first] = ask(snapshot([gpu(0)]), [
    onBus('0000:0a:00.0'),
    onBus('0000:3b:00.0'),
    onBus('0000:5e:00.0', 'vfio-pci'),
    onBus('10000:86:00.0', null),
  ]);

  expect(head).toContain(
    '1 GPU on 1 node: 1 × NVIDIA H100 80GB HBM3. 3 more on PCI buses, which no NVIDIA driver shows.',
  );
  expect(first).toBe(
    'gpu-1: 3 GPUs on the PCI bus that the driver does not show: 0000:3b:00.0 (nvidia is bound: it could not start them, ' +
      'see the kernel log, or this container was not given them); 0000:5e:00.0 (vfio-pci is bound); ' +
      '10000:86:00.0 (no kernel driver is bound)',
  );
});

test('a GPU that was there before is not told twice: its address is remembered', () => {
  const answer = ask(snapshot([gpu(0, {}, { trouble: 'vanished' })]), [onBus('0000:0a:00.0')]);

  expect(answer.join('\n')).not.toContain('on the PCI bus');
});

test('while a GPU has not told where it is, nobody knows whether any is hidden', () => {
  const seen = snapshot([gpu(0, { pciAddress: { missing: 'nvmlReturn999' } })]);

  expect(ask(seen, [onBus('0000:0a:00.0')])[1]).toBe(
    'gpu-1: GPUs on the PCI bus cannot be compared with those of the driver, because GPU 0 has not told its address (nvmlReturn999)',
  );
});

test('where nobody can look at the bus this is said, and nothing that would mean none', () => {
  const value = inventory.answer({ detail: 'summary' }, { ...contextOf(snapshot([gpu(0)])), pciGpus: null });

  expect(value).not.toHaveProperty('notInNvml');
  expect(ask(snapshot([gpu(0)]), null)[1]).toBe(
    'gpu-1: GPUs on the PCI bus cannot be compared with those of the driver, because the PCI bus cannot be read',
  );
});

test.for([
  ['where all are shown', [onBus('0000:0a:00.0')], {}],
  ['where one GPU is asked for', [onBus('0000:3b:00.0')], { gpu: 0 }],
] as const)('%s nothing is said of the bus', ([, pciGpus, given]) => {
  expect(ask(snapshot([gpu(0)]), pciGpus, given).join('\n')).not.toContain('PCI bus');
});

test('while GPUs are read for the first time nothing is said of the bus', () => {
  const first = gpu(0, { pciAddress: { missing: 'notReady' } }, { readAtMs: null });

  expect(ask(snapshot([first]), [onBus('0000:3b:00.0')]).join('\n')).not.toContain('PCI bus');
});

test('an agent that has just been started says that it is starting, and nothing of the bus', () => {
  const text = ask(snapshot([], { state: 'starting' }), [onBus('0000:3b:00.0')]).join('\n');

  expect(text).toContain('no sample was taken yet');
  expect(text).not.toContain('PCI bus');
});
