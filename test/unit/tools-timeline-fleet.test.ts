import { describe, expect, test } from 'vitest';
import { listedTool } from '../../src/mcp/listed-tool.ts';
import { budgetCharacters } from '../../src/tools/present.ts';
import { timeline } from '../../src/tools/timeline.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { xidEvent } from '../support/events.ts';
import { driverOk, gpu, nowMs, snapshot } from '../support/gpus.ts';
import { now, type Shows } from '../support/history.ts';
import { askTimeline, calm, nodeOf, type TimelineNode } from '../support/timelines.ts';
import { complaints } from '../support/tool-lint.ts';

const minute = 60_000;
const quiet: Shows = (ageMs) => ({ ...calm, powerWatts: 300 + (ageMs % 100_000) / 1000 });
const hot: Shows = (ageMs) =>
  ageMs < 10 * minute ? { ...calm, temperatureC: 91, reasons: ['hwThermalSlowdown'] } : calm;
const hung: Shows = (ageMs) => (ageMs < 10 * minute && ageMs > 5 * minute ? { absence: 'hung' } : calm);
const fell = { ...xidEvent('0000:0a:00', 79), atMs: now.atMs - 5 * minute };

const lines = (nodes: Readonly<Record<string, TimelineNode>>, given: object = {}) =>
  askTimeline(nodes, given).text.split('\n');

test('one GPU is shown whole: a line for each series, and the marks under the columns that they are of', () => {
  const text = lines({ a: nodeOf([hot], [fell]) });

  expect(text[0]).toBe('1 GPU on 1 node, last 30 min: 1 with events, 1 slowed down, 1 over a threshold.');
  expect(text[1]).toMatch(
    /^a GPU 0 \(NVIDIA H100 80GB HBM3, PCI 0000:0a:00\.0\): Xid 79 .* at 11:55:00Z; hwThermalSlowdown for /,
  );
  expect(text[2]).toMatch(/one character = 30 s; · no samples, T slowed down, X event, \* both$/);
  const temperature = text.find((line) => line.startsWith('  temperatureC')) ?? '';
  const marks = text.find((line) => line.startsWith('  marks')) ?? '';
  const start = temperature.search(/[▁▂▃▄▅▆▇█]/);
  expect(temperature.slice(start, start + 60)).toMatch(/^▁{39,40}[▂-█]?█{19,20}$/);
  expect(marks.slice(start)).toMatch(/^ {39,40}T{9,11}\*T{8,10}$/);
  expect(marks.indexOf('*')).toBe(start + 50);
  expect(text).toContainEqual(expect.stringMatching(/^ {2}events: 11:55:00Z Xid 79 /));
  expect(text).toContainEqual(
    expect.stringMatching(
      /^ {2}thresholds reached: temperatureC reached slowdown temperature of 89 °C, up to 91 °C, at 11:50:00Z for /,
    ),
  );
});

test('of a fleet, GPUs to which something happened come first, the worst before others, then each node in one line', () => {
  const text = lines({
    a: nodeOf([quiet, quiet, hung]),
    b: nodeOf([quiet, quiet, quiet]),
    c: nodeOf([quiet, hot, quiet]),
    d: nodeOf([quiet, quiet, quiet], [fell]),
  });

  expect(text[0]).toBe(
    '12 GPUs on 4 nodes, last 30 min: 1 with events, 1 slowed down, 1 over a threshold, 1 with gaps.',
  );
  const heads = text.filter((line) => /^\w GPU/.test(line)).map((line) => line.slice(0, 7));
  expect(heads).toEqual(['d GPU 0', 'c GPU 1', 'a GPU 2']);
  expect(text.slice(-4).map((line) => line.slice(0, 9))).toEqual([
    'a: 3 GPUs',
    'b: 3 GPUs',
    'c: 3 GPUs',
    'd: 3 GPUs',
  ]);
  expect(text.at(-2)).toContain('temperatureC 55 °C to 91 °C (GPU 1), mean 59 °C');
});

test('detail=full shows every GPU whole', () => {
  const nodes = { a: nodeOf([quiet, quiet, quiet]), b: nodeOf([quiet, quiet, hot]) };

  const heads = lines(nodes, { detail: 'full' }).filter((line) => /^[a-z] GPU/.test(line));

  expect(heads.map((line) => line.slice(0, 7))).toEqual([
    'b GPU 2',
    'a GPU 0',
    'a GPU 1',
    'a GPU 2',
    'b GPU 0',
    'b GPU 1',
  ]);
});

test('a node without a driver, one without a history and one that is simulated are said to be so', () => {
  const away = {
    state: 'unavailable',
    code: 'DRIVER_NOT_LOADED',
    message: 'm',
    hint: 'h.',
    sinceMs: nowMs - 1000,
  } as const;
  const text = lines({
    a: { snapshot: snapshot([], away), history: nodeOf([]).history },
    b: { snapshot: snapshot([gpu(0)]), history: undefined },
    c: { ...nodeOf([quiet]), snapshot: snapshot([gpu(0)], driverOk, true) },
  });

  expect(text[0]).toBe('SIMULATED DATA on c: those GPUs are made up.');
  expect(text[1]).toContain('Driver problem on a');
  expect(text[2]).toMatch(/^a: DRIVER_NOT_LOADED/);
  expect(text[3]).toBe('no history on b: this agent was started for one call');
});

test('a storm of what came of an error does not hide the error', () => {
  const storm = Array.from({ length: 300 }, (_, at) =>
    xidEvent('0000:0a:00', 45, { atMs: fell.atMs + 100 * (at + 1) }),
  );
  const others = [13, 31, 43, 63, 64, 94].flatMap((code, at) =>
    Array.from({ length: 8 }, (_, times) =>
      xidEvent('0000:0a:00', code, {
        atMs: fell.atMs + 31_000 + 1000 * at,
        message: `Xid ${code}`,
        details: { causedByXid: times },
      }),
    ),
  );
  const text = lines({ a: nodeOf([quiet], [fell, ...storm, ...others]) });

  expect(text[1]).toMatch(/: Xid 79 .* at 11:55:00Z and 348 more$/);
  const events = text.find((line) => line.startsWith('  events: ')) ?? '';
  expect(events).toMatch(/^ {2}events: 11:55:00Z Xid 79 /);
  expect(events).toMatch(/ … and \d+ more$/);
  const marks = text.find((line) => line.startsWith('  marks')) ?? '';
  expect(marks).toMatch(/ XX$/);
});

test('repeats of one error are one event with a count, and worse than what came once', () => {
  const storm = [1, 2, 3].map((at) => xidEvent('0000:0a:00', 48, { atMs: fell.atMs + 1000 * at }));
  const text = lines({ a: nodeOf([quiet], [...storm, xidEvent('0000:0a:00', 13)]) });

  expect(text[1]).toMatch(/: 3 × Xid 48 .* last at 11:55:03Z and 1 more$/);
  expect(text).toContainEqual(
    expect.stringMatching(/^ {2}events: 11:55:01Z to 11:55:03Z 3 × Xid 48 .*; 11:59:30Z Xid 13 /),
  );
});

test('what a program wrote into the log is told with that word, and is no fact', () => {
  const made = [79, 48, 13, 31, 43, 45].map((code) => ({
    ...xidEvent('0000:0a:00', code),
    origin: 'userSpace' as const,
  }));
  const text = lines({ a: nodeOf([quiet], made) });

  expect(text[0]).toBe('1 GPU on 1 node, last 30 min: nothing happened.');
  expect(text[1]).toMatch(/: nothing happened$/);
  expect(text).toContainEqual(
    expect.stringMatching(
      /\(written by a program of user space: it proves nothing\) … and 2 more of user space$/,
    ),
  );
  expect(text.find((line) => line.startsWith('  marks'))).toBeUndefined();
});

test('an event is not lost because the clock was set back since', () => {
  const text = lines({ a: nodeOf([quiet], [{ ...fell, atMs: now.atMs + 60 * minute }]) });

  expect(text[1]).toMatch(/: Xid 79 .* at 12:00:00Z$/);
});

test('a GPU that no node has is refused, as by every tool', () => {
  expect(() => askTimeline({ a: nodeOf([quiet]) }, { gpu: 7 })).toThrow(
    expect.objectContaining({ code: 'GPU_NOT_FOUND' }),
  );
});

describe('the window', () => {
  const known = (given: object) => {
    const { structured } = askTimeline({ a: nodeOf([quiet]) }, { detail: 'full', ...given });
    const [row] = structured['rows'] as { gpu: { covered: { fromMs: number; samples: number } | null } }[];
    return [structured['window'], row?.gpu.covered?.samples ?? 0];
  };

  test('may be given by its start, as ISO 8601 or in Unix ms, also as a command line gives it', () => {
    const since = now.atMs - 10 * minute;
    const window = `since ${new Date(since).toISOString()}`;

    expect(known({ since })).toEqual([window, 59]);
    expect(known({ since: String(since) })).toEqual([window, 59]);
    expect(known({ since: new Date(since).toISOString() })).toEqual([window, 59]);
    expect(known({ since: '2026-11-26T12:50:00+01:00' })).toEqual([window, 59]);
  });

  test('is half an hour, and two days at most', () => {
    expect(known({})).toEqual(['last 30 min', 179]);
    expect(known({ minutes: 2880 })).toEqual(['last 48 h', 360]);
    expect(() => known({ minutes: 2881 })).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  test.for(['yesterday', '12:00', '', '2026-13-45', -1e300, 0])('that is no time is refused: %s', (since) => {
    expect(() => known({ since })).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  test.for([now.atMs / 1000, String(now.atMs / 1000)])(
    'in seconds is refused, and not taken for 1970: %s',
    (since) => {
      expect(() => known({ since })).toThrow(
        expect.objectContaining({
          code: 'BAD_ARGUMENT',
          message: expect.stringContaining('for seconds add 000'),
        }),
      );
    },
  );

  test('that is still to come is refused: nothing can have happened in it', () => {
    expect(() => known({ since: now.atMs + 100 * minute })).toThrow(
      expect.objectContaining({
        code: 'BAD_ARGUMENT',
        message: expect.stringContaining('the clock of the node shows 2026-11-26T12:00:00.000Z'),
      }),
    );
    expect(known({ since: now.atMs })[1]).toBe(0);
  });

  test('that begins before all that is kept is told as the one that the answer is about', () => {
    expect(known({ since: '2025-01-01' })).toEqual([
      'since 2026-11-24T12:00:00.000Z (nothing from before that is kept)',
      360,
    ]);
  });

  test('a series that there is not is refused by name', () => {
    expect(() => known({ series: ['temperature'] })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});

test('the tool is one that every host takes', () => {
  expect(complaints(listedTool(timeline as unknown as Tool, timeline.input))).toEqual([]);
});

test.for(['summary', 'full'])(
  'at 300 nodes of 8 GPUs in all sorts of trouble %s stays within the budget',
  (detail) => {
    const one = nodeOf([hot, hung, quiet, hot, hung, quiet, hot, hot], [fell, fell, fell]);
    const nodes = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`gpu-node-${at}.region.example.com`, one]),
    );

    const { text, structured } = askTimeline(nodes, { detail });

    expect(text.length).toBeLessThanOrEqual(budgetCharacters);
    expect(text).toContain('2400 GPUs on 300 nodes');
    expect(structured['rows']).not.toEqual([]);
  },
);
