import { describe, expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import type { Absence } from '../../src/core/history.ts';
import { GpuBook } from '../../src/server/gpu-book.ts';
import { gpu, snapshot } from '../support/gpus.ts';
import { historyOf, keyOf, type Shows } from '../support/history.ts';
import { calm, gpusOf } from '../support/timelines.ts';

const minute = 60_000;

/** Warmer and warmer, beyond its threshold, until it is no more. */
const ending =
  (absence?: Absence): Shows =>
  (ageMs) => {
    if (ageMs <= 5 * minute) return absence && { absence };
    return { ...calm, temperatureC: 95 - ageMs / minute, energyJoules: 1e6 - ageMs / 1000 };
  };

describe('a threshold that was reached is told although the GPU can no longer be read', () => {
  const ends: Record<string, (book: GpuBook) => void> = {
    driverUnavailable: (book) => book.driverGone(),
    lost: (book) => book.read(1, unreadable('gpuLost')),
    vanished: (book) => {
      book.driverGone();
      book.begin(1);
      book.read(0, gpu(0).readings);
    },
    hung: (book) => {
      book.begin(2);
      book.read(0, gpu(0).readings);
      book.hung(1, 0);
    },
  };

  test.for(Object.entries(ends))('%s', ([absence, end]) => {
    const book = new GpuBook(() => 0, 5000);
    book.begin(2);
    for (const index of [0, 1]) book.read(index, gpu(index).readings);
    end(book);
    const history = historyOf({ [keyOf(0)]: () => calm, [keyOf(1)]: ending(absence as Absence) });
    const one = gpusOf({ history, snapshot: snapshot(book.gpus) })[1];

    expect(one?.crossings).toMatchObject([{ what: 'slowdown temperature', threshold: 89, harmless: false }]);
    expect(Object.keys(one?.unchecked ?? {})).toEqual(['95 % of the memory']);
  });
});
