import { expect, test } from 'vitest';

import type { Driver } from '../../src/core/driver.ts';
import { createLog } from '../../src/core/log.ts';
import { DriverLife } from '../../src/server/driver-life.ts';
import { GpuBook } from '../../src/server/gpu-book.ts';
import { driverInfo, gpu } from '../support/gpus.ts';

/** A driver that offers so many GPUs, or does not say how many, and the life that an agent has with it. */
async function lifeWith(gpus: number) {
  const clock = { ms: 0 };
  const driver = { offers: gpus as number | null, opened: 0 };
  const book = new GpuBook(() => clock.ms, 5000);
  const spawn = () =>
    ({
      open: async () => {
        driver.opened++;
        return { ...driverInfo, gpuCount: driver.offers ?? gpus };
      },
      readAll: async (indices, _, told) => {
        for (const index of indices)
          told(index, gpu(index).readings, { slowly: true, tookMs: 0, between: null });
        return driver.offers;
      },
      callsReturned: () => 0,
      reading: () => null,
    }) as Partial<Driver> as Driver;
  const log = createLog('error', () => undefined);
  const life = new DriverLife({ spawn, hangAfterMs: 5000, nowMs: () => clock.ms, log }, book);
  await life.sample(1000);
  /** Its calls have returned, too late and twice: it is not asked again for a while. */
  const rest = () => {
    for (let at = 0; at < 2; at++) book.returned(book.hung(0, clock.ms));
  };
  return { life, book, driver, rest };
}

test.for([
  ['offers another GPU', 2],
  ['has gone away', null],
] as const)(
  'while its only GPU is not asked as it has hung, a driver that %s is noticed',
  async ([, offers]) => {
    const { life, book, driver, rest } = await lifeWith(1);
    rest();
    expect(book.readable).toEqual([]);

    await life.sample(1000);
    expect(driver.opened, 'control').toBe(1);
    driver.offers = offers;
    await life.sample(1000);

    expect(driver.opened).toBe(2);
    expect(book.gpus).toHaveLength(offers ?? 1);
  },
);
