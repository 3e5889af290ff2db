import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { health } from '../../src/tools/health.ts';
import { tools } from '../../src/tools/index.ts';
import { metrics } from '../../src/tools/metrics.ts';
import { selectGpus } from '../../src/tools/node-answer.ts';
import { gpu, snapshot } from '../support/gpus.ts';

test.for(tools)('$name refuses an argument it does not know, by name, and says which it knows', (tool) => {
  const own = Object.keys(tool.input.shape);
  expect(own.slice(0, 3)).toEqual(['gpu', 'detail', 'limit']);
  expect(() => parseArguments(fleetInput(tool), { node: ['a'] })).toThrow(
    `unknown argument "node" (did you mean nodes?); there are ${[...own, 'nodes', 'cursor'].join(', ')}`,
  );
  expect(() => parseArguments(tool.input, { nodes: ['a'] })).toThrow(
    `unknown argument "nodes"; there are ${own.join(', ')}`,
  );
});

test.for([
  ['gpu', -1],
  ['gpu', ''],
  ['detail', 'everything'],
  ['limit', 0],
  ['limit', 1001],
  ['limit', 1.5],
  ['nodes', []],
  ['nodes', 'gpu-1'],
  ['nodes', ['']],
  ['cursor', 7],
] as const)('%s: %j is refused, and the message begins with its name', ([name, value]) => {
  expect(() => parseArguments(fleetInput(health), { [name]: value })).toThrow(
    expect.objectContaining({
      code: 'BAD_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^${name}\\b`)),
    }),
  );
});

test.for<[object, string]>([
  [{ detail: 'ful' }, 'detail: "ful" is not possible (did you mean full?); allowed is summary or full'],
  [{ detail: 7 }, 'detail: 7 is not possible; allowed is summary or full'],
  [{ limit: 0 }, 'limit: 0 is too small; allowed is 1 or more'],
  [{ limit: 1001 }, 'limit: 1001 is too big; allowed is 1000 or less'],
  [{ limit: '3' }, 'limit: "3" is not possible; it takes a whole number'],
  [{ nodes: [] }, 'nodes: it is empty; leave it out to ask for all'],
  [{ nodes: 'gpu-1' }, 'nodes: "gpu-1" is not possible; it takes a list, as in ["gpu-1", "gpu-2"]'],
  [{ gpu: {} }, 'gpu: {} is not possible; it takes text or a whole number'],
])('%j: what was given, and what would be right', ([given, message]) => {
  expect(() => parseArguments(fleetInput(health), given)).toThrow(
    expect.objectContaining({ code: 'BAD_ARGUMENT', message }),
  );
});

test.for([['text'], [7], [[]]] as const)('arguments that are no object are refused: %j', ([given]) => {
  expect(() => parseArguments(fleetInput(health), given)).toThrow(/^arguments: /);
});

test('no arguments at all are the defaults', () => {
  expect(parseArguments(fleetInput(health), undefined)).toEqual({ detail: 'summary' });
  expect(parseArguments(fleetInput(health), null)).toEqual({ detail: 'summary' });
});

test('a switch takes true or false, as a command line gives them', () => {
  expect(parseArguments(fleetInput(metrics), { gpm: true })).toMatchObject({ gpm: true });
  expect(() => parseArguments(fleetInput(metrics), { gpm: 'yes' })).toThrow(
    'gpm: "yes" is not possible; it takes true or false',
  );
});

test('several mistakes are named together', () => {
  expect(() => parseArguments(fleetInput(health), { gpus: 1, detail: 'x', limit: 0 })).toThrow(
    /limit: .*"gpus"|"gpus".*limit: /s,
  );
});

test.for([
  ['its index', 1],
  ['its index as text', '1'],
  ['its UUID', 'GPU-00000000-0000-0000-0000-000000000001'],
  ['its UUID in capitals', 'gpu-00000000-0000-0000-0000-000000000001'],
  ['its PCI address as Linux writes it', '0000:11:00.0'],
  ['its PCI address as nvidia-smi writes it', '00000000:11:00.0'],
] as const)('a GPU is found by %s', ([, name]) => {
  const found = selectGpus(snapshot([gpu(0), gpu(1), gpu(2)]), name);

  expect(found.map(({ index }) => index)).toEqual([1]);
});

test.for([
  ['00000009:01:00.0', '0009:01:00.0'],
  ['0009:01:00.0', '0009:01:00.0'],
  ['00000009:0A:00.0', '0009:0a:00.0'],
  ['00010000:1B:00.0', '10000:1b:00.0'],
  ['10000:1B:00', '10000:1b:00.0'],
] as const)('%s is the address %s in a domain other than 0', ([name, pciAddress]) => {
  expect(selectGpus(snapshot([gpu(0, { pciAddress })]), name)).toHaveLength(1);
});

test.for([[3], ['GPU-0'], ['0000:99:00.0'], ['0000:11:00.1'], ['01'], ['']] as const)(
  '%j names no GPU of the node',
  ([name]) => {
    expect(selectGpus(snapshot([gpu(0), gpu(1)]), name)).toEqual([]);
  },
);
