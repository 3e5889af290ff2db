import { describe, expect, test } from 'vitest';

import { nothingRemembered, type Readers, takeReadings } from '../../src/core/driver.ts';
import { type GpuReadings, readingNames } from '../../src/core/gpu.ts';
import type { Reading } from '../../src/core/reading.ts';

type Answers = Partial<Record<keyof GpuReadings, Reading<unknown>>>;

/** A GPU whose every reading is 1, but for `answers`, and which readings it was asked for. */
function gpu(answers: Answers = {}) {
  const asked: string[] = [];
  const readers = Object.fromEntries(
    readingNames.map((name) => [
      name,
      () => {
        asked.push(name);
        return answers[name] ?? { value: 1 };
      },
    ]),
  ) as unknown as Readers;
  const own = nothingRemembered();
  return {
    answers,
    sample(slowly: boolean) {
      asked.length = 0;
      const readings = takeReadings(readers, own, slowly);
      return { readings, asked: new Set(asked) };
    },
  };
}

describe('a sample that does not ask for slow readings', () => {
  test('tells every reading, and asks neither for settled nor for slow ones', () => {
    const { sample } = gpu();
    sample(true);
    const { readings, asked } = sample(false);

    expect(Object.keys(readings).sort()).toEqual([...readingNames].sort());
    expect([...asked]).toEqual(expect.arrayContaining(['memory', 'temperatureC', 'eccUncorrectedVolatile']));
    expect([...asked].filter((name) => ['uuid', 'eccMode', 'nvlinks'].includes(name))).toEqual([]);
  });

  test('does not ask again for what the GPU turned out to lack, until slow readings are taken', () => {
    const { answers, sample } = gpu();
    sample(true);
    answers.utilization = { missing: 'notSupported' };

    expect(sample(false).asked).toContain('utilization');
    expect(sample(false)).toMatchObject({ readings: { utilization: { missing: 'notSupported' } } });
    expect(sample(false).asked).not.toContain('utilization');
    answers.utilization = { value: 2 };
    expect(sample(true).readings.utilization).toEqual({ value: 2 });
    expect(sample(false).asked).toContain('utilization');
  });
});

describe('a GPU that is lost in a quick sample', () => {
  const lost = () => {
    const known = gpu();
    known.sample(true);
    known.answers.temperatureC = { missing: 'gpuLost' };
    return known;
  };

  test('still has what was read before and what never changes, and nothing that was remembered for a while', () => {
    const { readings } = lost().sample(false);

    expect(readings).toMatchObject({ uuid: { value: 1 }, memory: { value: 1 } });
    for (const name of ['temperatureC', 'powerWatts', 'eccMode', 'nvlinks', 'computeMode'] as const)
      expect(readings[name]).toEqual({ missing: 'gpuLost' });
  });

  test('has what a slow sample has read of it before, though it is as it was', () => {
    const { answers, sample } = gpu({ averagePowerWatts: { value: 300 } });
    sample(true);
    answers.energyJoules = { missing: 'gpuLost' };

    expect(sample(true).readings).toMatchObject({
      averagePowerWatts: { value: 300 },
      energyJoules: { missing: 'gpuLost' },
    });
  });

  test('is not asked for anything more, and for all of it when it is back', () => {
    const { answers, sample } = lost();

    expect(sample(false).asked).not.toContain('powerWatts');
    delete answers.temperatureC;
    expect(sample(false).asked).toContain('nvlinks');
    expect(sample(false).asked).not.toContain('nvlinks');
  });
});

describe('a slow reading that has failed', () => {
  test('is asked for again with the other slow ones, not with each sample: its driver is in trouble already', () => {
    const { sample } = gpu({
      eccLocations: { missing: 'nvmlReturn999' },
      inforomValid: { missing: 'nvmlReturn999' },
    });
    sample(true);

    const { readings, asked } = sample(false);

    expect(readings.eccLocations).toEqual({ missing: 'nvmlReturn999' });
    expect([...asked].filter((name) => ['eccLocations', 'inforomValid'].includes(name))).toEqual([]);
    expect([...sample(true).asked]).toEqual(expect.arrayContaining(['eccLocations', 'inforomValid']));
  });

  test('because the GPU must be reset is asked for at once: that it was is not told a minute late', () => {
    const { sample } = gpu({ eccLocations: { missing: 'resetRequired' } });
    sample(true);

    expect([...sample(false).asked]).toContain('eccLocations');
  });
});
