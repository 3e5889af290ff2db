import { expect, test } from 'vitest';

import { complaints, type OfferedTool } from '../support/tool-lint.ts';

const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const sound = {
  name: 'get_gpu_colour',
  title: 'GPU colour',
  description: 'Which colour each GPU has. Those that glow come first.',
  annotations: { title: 'GPU colour', ...hints },
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { gpus: { type: 'array', items: { type: 'string' }, description: 'which' } },
    additionalProperties: false,
  },
  outputSchema: { type: 'object', properties: {} },
} as const satisfies OfferedTool;

test('a sound tool is found so', () => {
  expect(complaints(sound)).toEqual([]);
});

const object = sound.inputSchema;
const nested = (part: object) => ({ ...object, properties: { a: { anyOf: [part], description: 'one' } } });

const bad: readonly [Partial<Record<keyof OfferedTool, unknown>>, string][] = [
  [{ name: 'get.colour' }, 'name is not of'],
  [{ name: 'get_the_colour_of_every_gpu_there' }, 'name is not of'],
  [{ name: '' }, 'name is not of'],
  [{ description: `Which colour each GPU has. ${'x'.repeat(600)}` }, 'description has 627 characters'],
  [{ description: `Each GPU's ${'colour '.repeat(20)}.` }, 'does not end within 120 characters'],
  [{ description: 'Which GPUs glow: the red and the blue ones' }, 'does not end within 120 characters'],
  [{ description: 'This tool says which colour each GPU has.' }, 'begins with other words'],
  [{ description: 'Use it before you paint a GPU.' }, 'begins with other words'],
  [{ description: 'Colours. Of each GPU.' }, 'does not say what it is about'],
  [{ description: undefined }, 'does not end within 120 characters'],
  [{ title: undefined }, 'title is absent'],
  [{ title: 'Another' }, 'title is absent, or another one'],
  [{ annotations: undefined }, 'readOnlyHint is not true'],
  ...Object.entries(hints).map(([hint, value]): (typeof bad)[number] => [
    { annotations: { ...sound.annotations, [hint]: !value } },
    `${hint} is not ${value}`,
  ]),
  ...(['oneOf', 'anyOf', 'allOf'] as const).map((word): (typeof bad)[number] => [
    { inputSchema: { ...object, [word]: [object] } },
    `inputSchema has ${word} at its root`,
  ]),
  [{ inputSchema: { ...object, not: {} } }, 'inputSchema has not at its root'],
  [{ inputSchema: { ...object, if: {} } }, 'inputSchema has if at its root'],
  [{ inputSchema: { ...object, type: undefined } }, 'inputSchema is not of type object'],
  [{ outputSchema: { type: ['object', 'null'] } }, 'outputSchema is not of type object'],
  [{ outputSchema: { anyOf: [object] } }, 'outputSchema has anyOf at its root'],
  [{ inputSchema: nested({ type: 'array' }) }, 'inputSchema.properties.a.anyOf.0 is an array without items'],
  [{ outputSchema: nested({ type: ['array', 'null'] }) }, 'outputSchema.properties.a.anyOf.0 is an array without items'],
  [{ outputSchema: { ...object, $schema: 'http://json-schema.org/draft-07/schema#' } }, 'another dialect'],
  [{ inputSchema: nested({ type: 'string', 'x-mcp-header': 'Node' }) }, 'asks for a header'],
  [{ inputSchema: { ...object, additionalProperties: undefined } }, 'takes arguments that it does not list'],
  [{ inputSchema: { ...object, properties: { a: { type: 'string' } } } }, 'argument a has no description'],
];

test.for(bad)('with %j: %s', ([part, complaint]) => {
  const found = complaints({ ...sound, ...part } as OfferedTool);

  expect(found.join('\n')).toContain(complaint);
});
