import { unreadable } from '../../src/core/driver.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import { GpuBook } from '../../src/server/gpu-book.ts';

export function bookOf(...gpus: string[]) {
  const clock = { ms: 0 };
  const book = new GpuBook(() => clock.ms, 5000);
  const life = (...names: string[]) => {
    book.begin(names.length);
    for (const [index, name] of names.entries()) book.read(index, readings(name));
  };
  life(...gpus);
  return { book, clock, life };
}

export function readings(name: string): GpuReadings {
  return {
    ...unreadable('notSupported'),
    uuid: { value: `GPU-${name}` },
    pciAddress: { value: name },
    temperatureC: { value: 40 },
  };
}

export function known(book: GpuBook) {
  return book.gpus.map(({ readings: { pciAddress }, trouble }) => [
    'value' in pciAddress ? pciAddress.value : pciAddress.missing,
    trouble?.kind ?? 'there',
  ]);
}
