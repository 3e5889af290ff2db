import { expect, test } from 'vitest';

import { readNumber } from '../../src/server/nvml/read.ts';

test('a number of 64 bits is told whole, and one of 32 bits that the driver wrote into the same room', () => {
  const told = (...halves: readonly number[]) =>
    readNumber((out) => {
      out.set(halves);
      return 0;
    });

  expect(told(0xffff_ffff)).toEqual({ value: 0xffff_ffff });
  expect(told(5, 3)).toEqual({ value: 3 * 2 ** 32 + 5 });
});
