import { expect, test } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';

const oneNode = 'nodes:\n  - name: a\n    gpus: [{ model: H100, count: 2 }]\n';

/** The message of the fault that the text is refused with. */
function refusal(text: string): string {
  try {
    parseScenario(text, 'fleet.yaml');
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(Fault);
    expect((thrown as Fault).code).toBe('SCENARIO_INVALID');
    return (thrown as Fault).message;
  }
  throw new Error(`accepted:\n${text}`);
}

const entry = (text: string) => `${oneNode}timeline:\n  - ${text}\n`;

test.for([
  ['text that is not YAML', 'nodes: [', '1:9: '],
  ['a key written twice', 'nodes: []\nnodes: []\n', '2:1: Map keys must be unique'],
  ['two documents', `${oneNode}---\na: 1\n`, '4:1: Source contains multiple documents'],
  ['an empty file', '', '1:1: must be a mapping, not null'],
  ['a missing member', 'nodes:\n  - name: a\n', '2:5: nodes[0].gpus: is missing; it must be a list'],
  ['no nodes', 'nodes: []\n', '1:8: nodes: must be at least 1 entries long'],
  [
    'an unknown member',
    'nodes:\n  - name: a\n    gpus: []\n    gpuss: []\n',
    '4:5: nodes[0].gpuss: is not known; allowed: name, driver, cuda, gpus',
  ],
  [
    'an unknown top member',
    `${oneNode}timelime: []\n`,
    '4:1: timelime: is not known; allowed: nodes, timeline, ',
  ],
  ['a bad node name', 'nodes:\n  - { name: A b, gpus: [] }\n', '2:13: nodes[0].name: must be a node name: '],
  [
    'a node name that is a number',
    'nodes:\n  - { name: 7, gpus: [] }\n',
    '2:13: nodes[0].name: must be text, not 7',
  ],
  [
    'a node named twice',
    'nodes:\n  - { name: a, gpus: [] }\n  - { name: a, gpus: [] }\n',
    '3:13: nodes[1].name: a is the name of two nodes',
  ],
  [
    'an unknown model',
    'nodes:\n  - name: a\n    gpus:\n      - { model: V100, count: 1 }\n',
    '4:18: nodes[0].gpus[0].model: must be one of T4, A100, H100, B200, GB200, not "V100"',
  ],
  [
    'too many GPUs',
    'nodes:\n  - name: a\n    gpus: [{ model: T4, count: 20 }, { model: T4, count: 20 }]\n',
    '3:11: nodes[0].gpus: must be 32 GPUs at most, all counts together',
  ],
  [
    'a version without quotes',
    'nodes:\n  - { name: a, gpus: [], cuda: 12.8 }\n',
    '2:32: nodes[0].cuda: must be text in quotes, like',
  ],
  [
    'a time that is none',
    entry('{ at: 5x, hang: true }'),
    '5:11: timeline[0].at: "5x" is not a time: it must be seconds',
  ],
  ['a time before the start', entry('{ at: -1, hang: true }'), '5:11: timeline[0].at: -1 is not a time: '],
  ['no time', entry('{ hang: true }'), '5:5: timeline[0].at: is missing; it must be seconds'],
  [
    'an unknown node',
    entry('{ at: 1, node: b, hang: true }'),
    '5:20: timeline[0].node: b is not a node of this scenario: it has a',
  ],
  [
    'an unknown node in the kernel log',
    `${oneNode}kernelLog:\n  - { at: 1, node: b, line: x }\n`,
    '5:20: kernelLog[0].node: b is not a node of this scenario: it has a',
  ],
  [
    'a GPU that the node has not',
    entry('{ at: 1, node: a, gpu: 2, hang: true }'),
    '5:28: timeline[0].gpu: a has no GPU 2: its GPUs are 0 to 1',
  ],
  [
    'a GPU that one of all nodes has not',
    'nodes:\n  - { name: a, gpus: [{ model: T4, count: 1 }] }\n  - { name: b, gpus: [] }\ntimeline:\n  - { at: 1, gpu: 0, hang: true }\n',
    '5:19: timeline[0].gpu: b has no GPUs',
  ],
  [
    'an unknown symbol',
    entry('at: 1\n    returns:\n      nvmlDeviceGetTemp: 3'),
    '7:7: timeline[0].returns.nvmlDeviceGetTemp: is not known; allowed: all, nvmlDeviceGetHandleByIndex_v2, ',
  ],
  [
    'a driver call on one GPU',
    entry('{ at: 1, gpu: 0, returns: { nvmlInit_v2: 9 } }'),
    '5:33: timeline[0].returns.nvmlInit_v2: is a call on the driver, not on one GPU: leave out gpu',
  ],
  [
    'a code that nvml.h cannot have',
    entry('{ at: 1, returns: { all: 1000 } }'),
    '5:30: timeline[0].returns.all: must be at most 999',
  ],
  [
    'two changes in one entry',
    entry('{ at: 1, hang: true, set: { temperatureC: 4 } }'),
    '5:5: timeline[0]: must have exactly one of set, returns, hang; it has set and hang',
  ],
  [
    'no change in an entry',
    entry('{ at: 1 }'),
    '5:5: timeline[0]: must have exactly one of set, returns, hang; it has none of them',
  ],
  [
    'an unknown reading',
    entry('{ at: 1, set: { temperature: 4 } }'),
    '5:21: timeline[0].set.temperature: is not known; allowed: name, uuid, serial, ',
  ],
  [
    'a reading of another kind',
    entry('{ at: 1, set: { temperatureC: hot } }'),
    '5:35: timeline[0].set.temperatureC: must be a number, not "hot"; or null for the model\'s value, or why it is missing: notSupported, ',
  ],
  [
    'an alias to a wrong value',
    entry('{ at: 1, gpu: 0, set: &hot { temperatureC: 900 } }\n  - { at: 2, set: *hot }'),
    '5:48: timeline[0].set.temperatureC: must be at most 255',
  ],
  [
    'half a reading',
    entry('{ at: 1, set: { eccMode: { current: true } } }'),
    '5:30: timeline[0].set.eccMode.pending: is missing; it must be true or false',
  ],
  [
    'an unknown member of a reading',
    entry('{ at: 1, set: { eccMode: { current: true, pending: true, on: true } } }'),
    '5:62: timeline[0].set.eccMode.on: is not known; ',
  ],
  [
    'an unknown clocks event reason',
    entry('{ at: 1, set: { clocksEventReasons: [tooHot] } }'),
    '5:42: timeline[0].set.clocksEventReasons[0]: must be one of gpuIdle, ',
  ],
  [
    'memory that does not add up',
    entry('{ at: 1, set: { memory: { totalBytes: 9, reservedBytes: 1, usedBytes: 1, freeBytes: 1 } } }'),
    '5:29: timeline[0].set.memory: totalBytes must be the sum of the other three',
  ],
  [
    'a code in place of the word for it',
    entry('{ at: 1, set: { recoveryAction: nvmlReturn15 } }'),
    '5:37: timeline[0].set.recoveryAction: must be none, gpuReset, ',
  ],
] as const)('%s is refused with its line and column', ([, text, expected]) => {
  expect(refusal(text).split('\n')[0]).toContain(`fleet.yaml:${expected}`);
});

test('of many mistakes the first five are listed, by place in the file', () => {
  const lines = Array.from({ length: 7 }, (_, at) => `  - { at: ${at}, hang: 1 }`);

  const message = refusal(`${oneNode}timeline:\n${lines.join('\n')}\nkernelLog: 3\n`).split('\n');

  expect(message.map((line) => /^fleet\.yaml:(\d+):/.exec(line)?.[1])).toEqual([
    '5',
    '6',
    '7',
    '8',
    '9',
    undefined,
  ]);
  expect(message.at(-1)).toBe('… and 3 more');
});

test('an alias bomb is refused', () => {
  const levels = 'bcdefgh'
    .split('')
    .map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[at]}`)}]`);

  expect(refusal(`a: &a [1, 1, 1]\n${levels.join('\n')}\n`)).toMatch(
    /^fleet\.yaml:1:1: Excessive alias count/,
  );
});
