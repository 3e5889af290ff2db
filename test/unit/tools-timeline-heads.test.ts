import { expect, test } from 'vitest';

import { xidEvent } from '../support/events.ts';
import { gpu, snapshot } from '../support/gpus.ts';
import { now, type Shows } from '../support/history.ts';
import { askTimeline, calm, nodeOf } from '../support/timelines.ts';

const textOf = (node: Parameters<typeof askTimeline>[0][string]) => askTimeline({ a: node }).text.split('\n');
const minute = 60_000;

test('errors that were counted are not nothing', () => {
  const shows: Shows = (ageMs) => ({ ...calm, eccUncorrectedVolatile: ageMs < 5 * minute ? 2 : 0 });

  const [head, first] = textOf(nodeOf([shows]));

  expect(head).toBe('1 GPU on 1 node, last 30 min: 1 with more errors counted.');
  expect(first).toContain('eccUncorrectedVolatile +2');
});

test('events of switches are counted in the head and told with their address; of many it is said how many more', () => {
  const events = Array.from({ length: 20 }, (_, at) =>
    xidEvent(`0000:c${at % 2}:00`, 20_034 + at, { kind: 'sxid' }),
  );

  const text = textOf(nodeOf([() => calm], events));

  expect(text[0]).toBe('1 GPU on 1 node, last 30 min: 20 events of no GPU.');
  expect(text.find((line) => line.startsWith('a: '))).toMatch(
    /SXid \d+ .* \(PCI 0000:c[01]:00\).* and 8 more$/,
  );
});

test('where there is no history, or no GPU, nobody can say that nothing happened', () => {
  const one = { snapshot: snapshot([gpu(0)]), history: undefined };
  const none = { ...nodeOf([]), snapshot: snapshot([]) };

  expect(textOf(one)[0]).toBe('0 GPUs on 1 node, last 30 min: what happened is not known.');
  expect(textOf(none)[0]).toBe('0 GPUs on 1 node, last 30 min: what happened is not known.');
});

test('of a GPU that came beyond several thresholds the worst one is told first', () => {
  const hot: Shows = (ageMs) => ({
    ...calm,
    temperatureC: ageMs < 10 * minute && ageMs > 5 * minute ? 95 : 55,
  });
  const { history } = nodeOf([hot]);
  const told = gpu(0, { slowdownTemperatureC: 89, shutdownTemperatureC: 92 });

  const [, first] = textOf({ history, snapshot: snapshot([told]) });

  expect(first).toContain('reached shutdown temperature of 92 °C');
});

test('where events of this time may be missing it is said, and not for those that were before it', () => {
  const lostBefore = (ageMs: number) =>
    textOf({ ...nodeOf([() => calm]), eventsLostBeforeMs: now.atMs - ageMs })[0];

  expect(lostBefore(10 * minute)).toContain('Events on a in this time may be missing.');
  expect(lostBefore(40 * minute)).not.toContain('missing');
});
