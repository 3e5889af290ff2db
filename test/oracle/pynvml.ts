import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { pciSlot } from '../../src/core/pci.ts';
import { mapping } from './mapping.ts';
import type { Tellings } from './nvidia-smi.ts';

const script = join(import.meta.dirname, 'ask-pynvml.py');

/** What NVIDIA's own Python binding says; the text says why it does not. */
export function readPynvml(python: string): Tellings | string {
  const asked = mapping.flatMap(({ ours, pynvml }) => (pynvml === undefined ? [] : [[ours, pynvml]]));
  const { status, stdout, stderr, error } = spawnSync(python, [script], {
    encoding: 'utf8',
    input: JSON.stringify(asked),
  });
  if (error) return error.message;
  if (status !== 0) return stderr.trim().split('\n').at(-1) ?? `it ended with ${status}`;
  const told = JSON.parse(stdout) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  return new Map(
    Object.entries(told).map(([slot, values]) => [pciSlot(slot), new Map(Object.entries(values))]),
  );
}
