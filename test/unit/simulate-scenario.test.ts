import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { nodeNames, parseScenario } from '../../src/simulate/scenario.ts';

const oneNode = 'nodes:\n  - name: a\n    gpus: [{ model: H100, count: 2 }]\n';

test('the example of docs/scenario.md is a scenario', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/scenario.md'), 'utf8');
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];

  const scenario = parseScenario(example, 'docs/scenario.md');

  expect(nodeNames(scenario)).toEqual(['gpu-node-1', 'gpu-node-2']);
  expect(scenario.nodes[1]).toEqual({
    name: 'gpu-node-2',
    driver: '580.126.20',
    cuda: '13.0',
    gpus: ['A100', 'A100', 'A100', 'A100', 'T4'],
  });
  expect(scenario.timeline).toHaveLength(10);
  expect(scenario.kernelLog).toEqual([
    {
      atMs: 1_200_000,
      node: 'gpu-node-2',
      line: 'NVRM: Xid (PCI:0000:0a:00): 79, GPU has fallen off the bus.',
    },
  ]);
  expect(scenario.kubernetes).toEqual([{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'gpu-node-1' } }]);
});

test('JSON is read as well', () => {
  const text = JSON.stringify({ nodes: [{ name: 'a', gpus: [] }], timeline: [{ at: 1, hang: true }] });

  expect(parseScenario(text, 'fleet.json').timeline).toEqual([
    { atMs: 1000, node: null, gpu: null, change: { kind: 'hang', hung: true } },
  ]);
});

test.for([
  ['0', 0],
  ['0.5', 500],
  ['90', 90_000],
  ["'90s'", 90_000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['2h1s', 7_201_000],
] as const)('at: %s is %i ms', ([at, ms]) => {
  const scenario = parseScenario(`${oneNode}timeline:\n  - { at: ${at}, hang: true }\n`, 'fleet.yaml');

  expect(scenario.timeline[0]?.atMs).toBe(ms);
});

test('entries come out by time, and by place in the file at the same time', () => {
  const lines = [
    '{ at: 5, gpu: 1, hang: true }',
    '{ at: 1, gpu: 0, hang: true }',
    '{ at: 5, gpu: 0, hang: true }',
  ];

  const { timeline } = parseScenario(`${oneNode}timeline:\n  - ${lines.join('\n  - ')}\n`, 'fleet.yaml');

  expect(timeline.map(({ atMs, gpu }) => [atMs, gpu])).toEqual([
    [1000, 0],
    [5000, 1],
    [5000, 0],
  ]);
});

test('watts are kept in whole milliwatts, and clocks event reasons in the order of their bits', () => {
  const text = `${oneNode}timeline:
  - at: 0
    set: { powerWatts: 70.12349, clocksEventReasons: [hwThermalSlowdown, hwSlowdown, hwSlowdown] }
`;

  expect(parseScenario(text, 'fleet.yaml').timeline[0]?.change).toEqual({
    kind: 'set',
    readings: {
      powerWatts: { value: 70.123 },
      clocksEventReasons: { value: ['hwSlowdown', 'hwThermalSlowdown'] },
    },
  });
});
