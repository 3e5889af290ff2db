import type { Tool } from '@modelcontextprotocol/client';

/** What a host's own limits make of a tool that breaks them: cut off, refused, or the whole list dropped with it. */
export type OfferedTool = Pick<Tool, 'name' | 'title' | 'description' | 'annotations'> & {
  readonly inputSchema: object;
  readonly outputSchema?: object | undefined;
};

type Schema = Readonly<Record<string, unknown>>;

/** What is wrong with a tool, in words; nothing where every host takes it. */
export function complaints(tool: OfferedTool): string[] {
  const { name, inputSchema, outputSchema } = tool;
  return [
    ...(/^[a-zA-Z0-9_-]{1,32}$/.test(name) ? [] : ['name is not of 1 to 32 of a-z, A-Z, 0-9, _ and -']),
    ...inDescription(tool.description ?? ''),
    ...inAnnotations(tool),
    ...inSchema(inputSchema as Schema, 'inputSchema'),
    ...inArguments(inputSchema as Schema),
    ...(outputSchema ? inSchema(outputSchema as Schema, 'outputSchema') : []),
  ];
}

const longestDescription = 600;
/** Hosts that list tools for a person, or cut, show about so much. */
const longestPoint = 120;
/** Words that put off the point: what follows them is what should have been first. */
const putsOff = /^(this|the tool|a tool|tool|use|call|returns?|gets?|fetch(es)?|retrieves?|quer(y|ies))\b/i;

function inDescription(description: string): string[] {
  const [point = ''] = description.split(/(?<=[.:;])\s/);
  const found: string[] = [];
  if (description.length > longestDescription)
    found.push(`description has ${description.length} characters, more than ${longestDescription}`);
  if (!point.endsWith('.') || point.length > longestPoint)
    found.push(`description's first sentence does not end within ${longestPoint} characters`);
  if (putsOff.test(point)) found.push('description begins with other words than what it answers');
  if (!/\b(GPU|node|pod)s?\b/.test(point))
    found.push("description's first sentence does not say what it is about");
  return found;
}

const readOnly = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
} as const;

function inAnnotations({ title, annotations = {} }: OfferedTool): string[] {
  const wrong = Object.entries(readOnly).filter(
    ([hint, value]) => annotations[hint as keyof typeof readOnly] !== value,
  );
  return [
    ...(title && title === annotations.title ? [] : ['title is absent, or another one in annotations']),
    ...wrong.map(([hint, value]) => `${hint} is not ${value}`),
  ];
}

const rootWords = ['oneOf', 'anyOf', 'allOf', 'not', 'if', '$ref'] as const;
const dialect = 'https://json-schema.org/draft/2020-12/schema';

function inSchema(schema: Schema, called: string): string[] {
  const found = rootWords.filter((word) => word in schema).map((word) => `${called} has ${word} at its root`);
  if (schema['type'] !== 'object') found.push(`${called} is not of type object`);
  for (const [path, part] of parts(schema, called)) {
    const types = [part['type']].flat();
    if (types.includes('array') && !('items' in part)) found.push(`${path} is an array without items`);
    if (typeof part['$schema'] === 'string' && part['$schema'] !== dialect)
      found.push(`${path} is of another dialect than 2020-12`);
    // A client must send such an argument in a header too, and the bridge's does not.
    if ('x-mcp-header' in part) found.push(`${path} asks for a header`);
  }
  return found;
}

function inArguments({ properties = {}, additionalProperties }: Schema): string[] {
  const undescribed = Object.entries(properties as Record<string, Schema>).filter(
    ([, { description }]) => !description,
  );
  return [
    ...(additionalProperties === false ? [] : ['inputSchema takes arguments that it does not list']),
    ...undescribed.map(([argument]) => `argument ${argument} has no description`),
  ];
}

function parts(value: unknown, path: string): [string, Schema][] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.entries(value).flatMap(([key, part]) => parts(part, `${path}.${key}`));
  return [[path, value as Schema], ...below];
}
