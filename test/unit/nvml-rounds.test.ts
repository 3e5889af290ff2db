import { expect, test } from 'vitest';

import { type HowRead, slowReadEveryMs, unreadable } from '../../src/core/driver.ts';
import { Rounds, slowGpuMs } from '../../src/server/nvml/rounds.ts';

const againMs = 10_000;
const callsPerGpu = 100;

interface Told extends HowRead {
  readonly index: number;
  readonly atMs: number;
}

/** Rounds over GPUs of which a call takes so many ms each, by a clock that only calls move. */
function roundsOf(msPerCall: readonly number[]) {
  const clock = { ms: 1_000_000 };
  const told: Told[] = [];
  const state = { msPerCall: [...msPerCall], gone: false };
  const callsOn = (index: number) => {
    for (let call = 0; call < callsPerGpu; call++) {
      rounds.between();
      clock.ms += state.msPerCall[index] ?? 0;
    }
  };
  const rounds: Rounds = new Rounds({
    nowMs: () => clock.ms,
    told: (index, _, how) => void told.push({ ...how, index, atMs: clock.ms }),
    read(index) {
      callsOn(index);
      return unreadable(state.gone ? 'driverUnavailable' : 'notSupported');
    },
  });
  const indices = msPerCall.map((_, index) => index);
  const run = (slowly = false) => rounds.run(indices, { slowly, againMs });
  const inquire = (index: number) => rounds.beside(index, () => callsOn(index));
  return { clock, told, state, run, inquire };
}

/** The longest time between two readings of a GPU, and until the end. */
function longestWithout(told: readonly Told[], index: number, fromMs: number, toMs: number): number {
  const times = [fromMs, ...told.filter((each) => each.index === index).map(({ atMs }) => atMs), toMs];
  return Math.max(...times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0)));
}

test('quick GPUs are read once each, in turn', () => {
  const { told, run } = roundsOf([1, 1, 1]);

  run();

  expect(told).toMatchObject([0, 1, 2].map((index) => ({ index, tookMs: 100, between: null })));
});

test.for([
  ['100 ms', 100],
  ['4.9 s', 4900],
] as const)('a GPU that takes %s a call is read whole, and the others all the while', ([, ms]) => {
  const { told, clock, run } = roundsOf([1, ms, 1, 1]);
  const fromMs = clock.ms;

  run();

  for (const quick of [0, 2, 3]) {
    expect(longestWithout(told, quick, fromMs, clock.ms)).toBeLessThanOrEqual(againMs + ms + 1000);
    expect(told.findLast(({ index }) => index === quick)?.atMs).toBeGreaterThan(
      clock.ms - slowGpuMs - ms - 300,
    );
  }
  const slow = told.filter(({ index }) => index === 1);
  expect(slow).toMatchObject([{ between: null }]);
  expect(slow[0]?.tookMs).toBeGreaterThanOrEqual(callsPerGpu * ms);
});

test('whoever has not had a turn yet waits no longer than a second and a call', () => {
  const { told, clock, run } = roundsOf([100, 1, 1]);
  const fromMs = clock.ms;

  run();

  expect(told[0]).toMatchObject({ index: 1, between: { index: 0 } });
  expect((told[0]?.atMs ?? 0) - fromMs).toBeLessThanOrEqual(slowGpuMs + 300);
});

test('two slow GPUs hold up neither the others nor each other for ever', () => {
  const { told, clock, run } = roundsOf([1, 100, 1, 200]);

  for (let round = 0; round < 5; round++) {
    const [fromMs, from] = [clock.ms, told.length];
    run();
    const now = told.slice(from);
    for (const quick of [0, 2])
      expect(longestWithout(now, quick, fromMs, clock.ms)).toBeLessThanOrEqual(againMs + 2000);
    for (const slow of [1, 3]) expect(now.filter(({ index }) => index === slow)).toHaveLength(1);
    clock.ms += againMs;
  }
});

test('where all are slow each is read once a round, and none is kept from its end', () => {
  const { told, clock, run } = roundsOf(Array.from({ length: 16 }, () => 100));

  for (let round = 0; round < 3; round++) {
    const fromMs = clock.ms;
    run();
    expect(clock.ms - fromMs).toBe(16 * callsPerGpu * 100);
  }

  expect(told).toHaveLength(3 * 16);
});

test('many that are nearly slow do not keep a slow one from its end', () => {
  const { clock, run } = roundsOf([1000, ...Array.from({ length: 15 }, () => 9)]);
  const [ownMs, fromMs] = [callsPerGpu * 1000, clock.ms];

  run();

  expect(clock.ms - fromMs).toBeLessThan(2.5 * ownMs);
});

test('a GPU that is slow no longer is read like the others', () => {
  const { told, state, run } = roundsOf([1, 100, 1]);
  run();

  state.msPerCall[1] = 1;
  told.length = 0;
  run();

  expect(told.map(({ index, between }) => [index, between])).toEqual([
    [0, null],
    [1, null],
    [2, null],
  ]);
});

test('an inquiry that takes long does not make the others old', () => {
  const { told, clock, run, inquire } = roundsOf([1, 500, 1]);
  run();
  const [fromMs, from] = [clock.ms, told.length];

  inquire(1);

  for (const quick of [0, 2])
    expect(longestWithout(told.slice(from), quick, fromMs, clock.ms)).toBeLessThanOrEqual(againMs + 1000);
  expect(told.slice(from).filter(({ index }) => index === 1)).toEqual([]);
});

test('a quick inquiry right after a round reads nothing, and one before the first round has nothing to read', () => {
  const { told, run, inquire } = roundsOf([1, 1]);

  inquire(0);
  expect(told).toEqual([]);
  run();
  inquire(0);

  expect(told).toHaveLength(2);
});

test('what is taken rarely is taken rarely in between, too', () => {
  const { told, run } = roundsOf([1, 4000, 1]);

  run(true);

  const slowly = told.filter(({ index, slowly: rarely }) => index === 2 && rarely);
  expect(slowly[0]?.between?.index).toBe(1); // its turn in this round
  slowly.slice(1).forEach(({ atMs }, at) => {
    expect(atMs - (slowly[at]?.atMs ?? 0)).toBeGreaterThanOrEqual(slowReadEveryMs);
  });
  expect(slowly.length).toBeGreaterThan(5); // in 400 s
});

test('a driver that has gone away is not asked about the others', () => {
  const { told, state, run } = roundsOf([1, 100, 1]);
  state.gone = true;

  run();

  expect(told.map(({ index }) => index)).toEqual([0]);
});

test('a GPU that takes less than a second is waited for', () => {
  const { told, clock, run } = roundsOf([1, 9, 1]); // 0.9 s
  const fromMs = clock.ms;

  run();

  expect(told.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(longestWithout(told, 2, fromMs, clock.ms)).toBeGreaterThan(900);
});
