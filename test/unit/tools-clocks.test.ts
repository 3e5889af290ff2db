import { expect, test } from 'vitest';

import { callTool } from '../../src/bridge/bridge.ts';
import type { Fleet } from '../../src/bridge/fleet/fleet.ts';
import { type Clock, clocksText } from '../../src/tools/clocks.ts';
import { tools } from '../../src/tools/index.ts';
import { answersOf } from '../support/answers.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const noon: Clock = { node: 'a', wallTime: '2026-11-26T12:00:00.000Z', monotonicMs: 5_000_000, bootId: 'b' };

/** Nodes that answer at once. */
function fleetOf(nodes: readonly string[]): Fleet {
  const snapshots = Object.fromEntries(nodes.map((node) => [node, snapshot([gpu(0)])]));
  return {
    ask: async ({ tool, args }) => {
      const { detail: _, ...given } = args;
      const answers = answersOf(tool, snapshots, given) as never[];
      return { answers, failed: [], withoutAgent: [], nodesTotal: nodes.length, notes: [] };
    },
    close: () => Promise.resolve(),
  };
}

async function called(tool: (typeof tools)[number], nodes: readonly string[]) {
  const options = { signal: new AbortController().signal, onProgress: () => undefined };
  const { text, structured } = await callTool(fleetOf(nodes), tool, {}, options);
  return { lines: text.split('\n'), clocks: structured['clocks'] };
}

test.for(tools.map((tool) => [tool.name, tool] as const))(
  'an answer of %s carries the clocks of the nodes',
  async ([, tool]) => {
    const one = await called(tool, ['a']);
    const two = await called(tool, ['a', 'b']);

    expect(one.lines).toContain("The node's clock shows 2026-11-26T12:00:00.000Z, 83 min after boot b.");
    expect(two.lines).toContain("The nodes' clocks show 2026-11-26T12:00:00.000Z.");
    expect(two.clocks).toEqual([noon, { ...noon, node: 'b' }]);
  },
);

test('of many nodes the clocks are not listed, since they would be most of the answer', async () => {
  const nodes = Array.from({ length: 65 }, (_, at) => `gpu-${at}`);
  const [tool] = tools;

  expect((tool && (await called(tool, nodes)))?.clocks).toBeNull();
});

test('a clock that is off by more than the call took is told', () => {
  const at = (node: string, wallTime: string): Clock => ({ ...noon, node, wallTime });
  const clocks = [
    at('a', '2026-11-26T12:00:00.000Z'),
    at('b', '2026-11-26T12:00:02.000Z'),
    at('late', '2026-11-26T11:57:00.000Z'),
    at('early', '2026-11-26T15:00:00.000Z'),
  ];

  expect(clocksText(clocks.slice(0, 2), 2000)).toEqual(["The nodes' clocks show 2026-11-26T12:00:02.000Z."]);
  expect(clocksText(clocks, 2000)).toEqual([
    "The nodes' clocks show 2026-11-26T12:00:02.000Z, but for late (3 min behind), early (3 h ahead).",
  ]);
});

test('nodes that do not tell their clocks are no reason to say anything', () => {
  expect(clocksText([], 0)).toEqual([]);
});
