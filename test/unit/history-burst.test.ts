import { expect, test } from 'vitest';

import { BurstSchedule } from '../../src/server/history/burst.ts';
import { random } from '../support/answers.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

test('without events nothing is sampled more often', () => {
  const schedule = new BurstSchedule(10 * second);

  for (const atMs of [0, minute, hour]) expect(schedule.intervalMs(atMs)).toBe(10 * second);
});

test('after an event every second is sampled for two minutes', () => {
  const schedule = new BurstSchedule(10 * second);

  expect(schedule.event(hour)).toBe(true);

  expect(schedule.intervalMs(hour)).toBe(second);
  expect(schedule.intervalMs(hour + 2 * minute - 1)).toBe(second);
  expect(schedule.intervalMs(hour + 2 * minute)).toBe(10 * second);
});

test('a further event draws it out, and wakes nobody, since all are awake', () => {
  const schedule = new BurstSchedule(10 * second);
  schedule.event(0);

  expect(schedule.event(minute)).toBe(false);

  expect(schedule.intervalMs(3 * minute - 1)).toBe(second);
  expect(schedule.intervalMs(3 * minute)).toBe(10 * second);
});

test('an interval that is shorter already is left as it is', () => {
  const schedule = new BurstSchedule(200);

  expect(schedule.event(0)).toBe(false);

  expect(schedule.intervalMs(1)).toBe(200);
});

test('a flood of events gets ten minutes of every hour', () => {
  const spent = spentIn(24 * hour, () => true);

  expect(spent.slice(0, 600).every(Boolean)).toBe(true);
  expect(spent.slice(600, 3600).some(Boolean)).toBe(false);
  expect(spent.filter(Boolean).length).toBeGreaterThanOrEqual(23 * 600);
  expect(most(spent, 3600)).toBe(600);
});

test.for([1, 2, 3, 4])('of no hour more than ten minutes are spent, whenever events come (%i)', (seed) => {
  const next = random(seed);
  let busy = false;

  const spent = spentIn(24 * hour, () => {
    if (next() < 0.001) busy = !busy;
    return next() < (busy ? 0.1 : 0.0002);
  });

  expect(spent.some(Boolean)).toBe(true);
  expect(most(spent, 3600)).toBeLessThanOrEqual(600);
});

/** For each second whether it was sampled at one. */
function spentIn(ms: number, happens: () => boolean): boolean[] {
  const schedule = new BurstSchedule(10 * second);
  const spent: boolean[] = [];
  for (let atMs = 0; atMs < ms; atMs += second) {
    if (happens()) schedule.event(atMs);
    spent.push(schedule.intervalMs(atMs) === second);
  }
  return spent;
}

/** The most in any so many in a row. */
function most(spent: readonly boolean[], length: number): number {
  let sum = 0;
  let highest = 0;
  spent.forEach((is, at) => {
    sum += Number(is) - Number(spent[at - length] ?? false);
    highest = Math.max(highest, sum);
  });
  return highest;
}
