import { describe, expect, test } from 'vitest';

import { health } from '../../src/tools/health.ts';
import { knownNodes, whyNoSuccess } from '../bench/fleet-success.ts';
import { ask, type FleetSnapshots } from '../support/answers.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const h100 = 'NVIDIA H100 80GB HBM3';
const fleet: FleetSnapshots = {
  'gpu-1': snapshot([gpu(0)]),
  'gpu-2': snapshot([gpu(0), gpu(1, { temperatureC: 85 })]),
  'gpu-3': snapshot([gpu(0, { name: 'Tesla T4' }), gpu(1, { name: 'Tesla T4' })]),
};
const healthy = [
  { node: 'gpu-1', gpus: 1, model: h100 },
  { node: 'gpu-2', gpus: 2, model: h100 },
  { node: 'gpu-3', gpus: 2, model: 'Tesla T4' },
];
const everyone = { healthy, others: [] };
const allButOne = { healthy, others: ['gpu-4'] };
const failed = [{ node: 'gpu-4', code: 'NODE_TIMEOUT' }];

/** As the bridge answers when these nodes' agents did: its own merge, in an envelope. */
function answer(answered: FleetSnapshots, silent: object = {}) {
  const names = Object.keys(answered);
  const envelope = { status: 'success', nodesTotal: 3, answered: names.length, failed: [], withoutAgent: [] };
  return { ...envelope, ...ask(health, answered).structured, ...silent };
}

describe('a call of the benchmark succeeds', () => {
  test('when it carries every node’s data', () => {
    expect(whyNoSuccess(answer(fleet), everyone)).toBeUndefined();
  });

  test.for([
    ['failed', { failed }],
    ['has no agent', { withoutAgent: [{ node: 'gpu-4', why: 'no pod' }] }],
  ] as const)('when it says of the one other node that it %s', ([, silent]) => {
    const partial = answer(fleet, { status: 'partial', nodesTotal: 4, ...silent });

    expect(whyNoSuccess(partial, allButOne)).toBeUndefined();
  });
});

describe('it does not', () => {
  const { 'gpu-1': one, 'gpu-2': two, 'gpu-3': three } = fleet;
  if (!one || !two || !three) throw new Error('the fleet above has three nodes');

  test.for([
    ['a node is left out', answer({ 'gpu-1': one, 'gpu-2': two }), 'answered: 2 instead of 3'],
    ['a node is left out but counted', { ...answer({ 'gpu-1': one, 'gpu-2': two }), answered: 3 }, 'GPUs: '],
    ['two nodes are swapped', answer({ 'gpu-1': two, 'gpu-2': one, 'gpu-3': three }), 'GPUs: '],
    ['a node has another’s model', answer({ ...fleet, 'gpu-3': two }), 'GPUs: '],
    ['a node has too few GPUs', answer({ ...fleet, 'gpu-2': one }), 'GPUs: '],
    ['a healthy node is told of as failed', answer(fleet, { failed }), 'silent nodes: ["gpu-4"]'],
    ['the total is wrong', answer(fleet, { nodesTotal: 4 }), 'nodesTotal: 4 instead of 3'],
    ['the total is not known', answer(fleet, { nodesTotal: null }), 'nodesTotal: null instead of 3'],
    ['a page is left', answer(fleet, { page: { nextCursor: 'row-2' } }), 'next page: "row-2"'],
    ['there is no data', undefined, 'no structured content'],
  ] as const)('when %s', ([, structured, why]) => {
    expect(whyNoSuccess(structured, everyone)).toContain(why);
  });

  test.for([
    ['is not accounted for', {}, 'silent nodes: []'],
    ['is accounted for twice', { failed, withoutAgent: failed }, 'silent nodes: ["gpu-4","gpu-4"]'],
    ['failed without a code', { failed: [{ node: 'gpu-4', code: '' }] }, 'failed nodes without a code'],
    ['passes for success', { status: 'success', failed }, 'status: "success" instead of "partial"'],
  ] as const)('when the one dead node %s', ([, silent, why]) => {
    const partial = answer(fleet, { status: 'partial', nodesTotal: 4, ...silent });

    expect(whyNoSuccess(partial, allButOne)).toContain(why);
  });
});

test('what is expected comes from the scenario: as many GPUs, of the model that it names', () => {
  expect(knownNodes(fleetScenario(['a', 'b', 'c']))).toEqual([
    { node: 'a', gpus: 1, model: h100 },
    { node: 'b', gpus: 2, model: 'NVIDIA A100-SXM4-80GB' },
    { node: 'c', gpus: 3, model: 'NVIDIA B200' },
  ]);
});
