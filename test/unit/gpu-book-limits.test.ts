import { describe, expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import type { GpuState } from '../../src/core/snapshot.ts';
import { bookOf, known, readings } from '../support/gpu-book.ts';

describe('the limits to its heat', () => {
  const limits = { slowdownTemperatureC: { value: 89 }, shutdownMarginC: { value: -8 } };
  const { name, uuid, serial, pciAddress } = readings('b');
  const identity = { name, uuid, serial, pciAddress };
  const shown = (gpu: GpuState | undefined) => {
    const { slowdownTemperatureC, shutdownMarginC, temperatureC } = gpu?.readings ?? unreadable('noData');
    return { slowdownTemperatureC, shutdownMarginC, temperatureC };
  };
  const hot = () => {
    const { book } = bookOf('a');
    book.begin(2);
    book.read(0, readings('a'));
    book.read(1, { ...readings('b'), ...limits });
    return book;
  };

  test('stay known of a GPU that has gone, and nothing that was measured does', () => {
    const book = hot();

    book.driverGone();
    expect(shown(book.gpus[1])).toEqual({ ...limits, temperatureC: { missing: 'driverUnavailable' } });
    book.begin(1);
    expect(shown(book.gpus[1])).toEqual({ ...limits, temperatureC: { missing: 'notReady' } });
    book.read(0, readings('a'));
    expect(known(book)[1]).toEqual(['b', 'vanished']);
    expect(shown(book.gpus[1])).toEqual({ ...limits, temperatureC: { missing: 'gpuLost' } });
  });

  test('stay known where the next driver life finds it lost, whether it still says who it is or not', () => {
    for (const met of [true, false]) {
      const book = hot();
      book.begin(2);
      if (met) book.met(1, identity);
      book.read(0, readings('a'));
      book.read(1, unreadable('gpuLost'));

      expect(known(book)[1]).toEqual(['b', 'lost']);
      expect(shown(book.gpus[1])).toEqual({ ...limits, temperatureC: { missing: 'gpuLost' } });
    }
  });

  test('are no longer told once the driver says that there are none', () => {
    const book = hot();
    book.begin(2);
    book.met(1, identity);
    expect(shown(book.gpus[1])).toMatchObject(limits);

    book.read(1, readings('b'));

    expect(shown(book.gpus[1])).toMatchObject({ slowdownTemperatureC: { missing: 'notSupported' } });
  });
});
