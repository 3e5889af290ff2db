import { describe, expect, test } from 'vitest';
import { fleetInput } from '../../src/bridge/bridge.ts';
import { type Envelope, envelopeText } from '../../src/bridge/fleet/envelope.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { health } from '../../src/tools/health.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { budgetCharacters, present } from '../../src/tools/present.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { answersOf, type FleetSnapshots } from '../support/answers.ts';
import { type Given, gpu, snapshot } from '../support/gpus.ts';

const tools: readonly Tool[] = [inventory, health];
const nodes = 1000;

const fleets: Readonly<Record<string, (node: number, index: number) => Given>> = {
  'all alike': () => ({}),
  'all different': (node, index) => ({ name: `Model ${node}-${index}`, powerLimitWatts: 100 + node }),
  'all failing': (node, index) => ({ temperatureC: 90 + (node % 9), eccUncorrectedVolatile: 1 + index }),
  'nothing readable': () => ({ name: { missing: 'nvmlReturn999' }, memory: { missing: 'nvmlReturn999' } }),
};

const silences: Readonly<Record<string, Partial<Envelope>>> = {
  'everyone answered': {},
  'a thousand more failed, each differently': {
    failed: failing((node) => `reason ${node} ${'x'.repeat(280)}`),
  },
  'a thousand more failed alike': { failed: failing(() => 'no answer within 2500 ms') },
  'a thousand more have no agent, each for a reason of its own': {
    withoutAgent: Array.from({ length: nodes }, (_, at) => ({
      node: `${at % 2 === 0 ? 'a' : 'b'}${at}`,
      why: `pod agent-${at} is Pending: ${'x'.repeat(200)}`,
    })),
  },
};

describe.for(tools)('$name at 1,000 nodes of 8 GPUs', (tool) => {
  describe.for(Object.keys(fleets))('%s', (kind) => {
    const answers = answersOf(tool, fleet(fleets[kind]));

    describe.for(Object.keys(silences))('%s', (silence) => {
      test.for(['summary', 'full'])(`in ${'%s'} stays within the budget and shows something`, (detail) => {
        const preamble = envelopeText(envelope(silences[silence] ?? {}), { notes: ['a note'], named: false });

        const { text, structured } = present(tool, parseArguments(fleetInput(tool), { detail }), answers, {
          preamble,
        });

        expect(text.length).toBeLessThanOrEqual(budgetCharacters);
        expect(text).toContain('8000 GPUs on 1000 nodes');
        expect(structured['rows']).not.toEqual([]);
      });
    });
  });
});

test('however many fail in however many ways, every failed node is counted', () => {
  const failed = failing((node) => `reason ${node}`).map((each, at) => ({
    ...each,
    code: at % 2 === 0 ? 'NODE_TIMEOUT' : 'NODE_UNREACHABLE',
  }));

  const text = envelopeText(envelope({ failed }), { notes: [], named: false });

  const counted = text.slice(1).map((line) => {
    const [, names = '', more = '0'] = /^NO ANSWER from (.*?)(?: … and (\d+) more)?: NODE_/.exec(line) ?? [];
    return names.split(/[[\],]/).filter((part) => /^\d+$/.test(part)).length + Number(more);
  });
  expect(text.join('\n').length).toBeLessThan(8000);
  expect(counted).toHaveLength(2);
});

function fleet(given: ((node: number, index: number) => Given) | undefined): FleetSnapshots {
  return Object.fromEntries(
    Array.from({ length: nodes }, (_, node) => [
      `gpu-node-${node}.region.example.com`,
      snapshot(Array.from({ length: 8 }, (_, index) => gpu(index, given?.(node, index), { node }))),
    ]),
  );
}

function failing(message: (node: number) => string): Envelope['failed'] {
  return Array.from({ length: nodes }, (_, at) => ({
    node: `dead-${at}.rack-${at % 37}`,
    code: 'NODE_TIMEOUT',
    message: message(at),
    hint: 'Look at it.',
    lastTriedAt: new Date(0).toISOString(),
  }));
}

function envelope(given: Partial<Envelope>): Envelope {
  const none = {
    requestId: 'r',
    durationMs: 1,
    nodesTotal: 2 * nodes,
    answered: nodes,
    failed: [],
    withoutAgent: [],
    clocks: [],
  };
  return { status: 'partial', ...none, ...given };
}
