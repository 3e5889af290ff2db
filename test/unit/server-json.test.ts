import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

import manifest from '../../package.json' with { type: 'json' };
import { parseConfig } from '../../src/bridge/config.ts';
import { environmentName } from '../../src/core/command-line.ts';

/** The fields that we use of the registry's schema of 2025-12-11, with its bounds; the schema itself is not ours to copy. */
const variable = z.strictObject({
  name: z.string(),
  description: z.string(),
  format: z.enum(['string', 'number', 'boolean', 'filepath']).optional(),
  choices: z.array(z.string()).optional(),
  default: z.string().optional(),
});
const serverJson = z.strictObject({
  $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
  name: z.string().regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(100),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  packages: z.tuple([
    z.strictObject({
      registryType: z.literal('npm'),
      identifier: z.string(),
      version: z.string(),
      runtimeHint: z.literal('npx'),
      transport: z.strictObject({ type: z.literal('stdio') }),
      environmentVariables: z.array(variable),
    }),
  ]),
});

const server = serverJson.parse(
  JSON.parse(readFileSync(new URL('../../server.json', import.meta.url), 'utf8')),
);
const [npm] = server.packages;

test('the registry is told of the package that package.json describes', () => {
  expect(server).toMatchObject({
    name: manifest.mcpName,
    version: manifest.version,
    description: manifest.description,
  });
  expect(npm).toMatchObject({ identifier: manifest.name, version: manifest.version });
});

test('its variables are KUBECONFIG and one for each flag of the bridge', () => {
  const help = parseConfig(['--help'], {});
  const text = 'print' in help ? help.print : '';
  const flags = [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
  const settable = flags.filter((flag) => !['--help', '--version'].includes(flag)).map(environmentName);

  expect(settable.length).toBeGreaterThan(0);
  expect(npm.environmentVariables.map(({ name }) => name).sort()).toEqual(['KUBECONFIG', ...settable].sort());
});

test('the bridge takes every default and every choice that it names, and a default changes nothing', () => {
  const { config: plain } = taken({});
  for (const { name, choices = [], default: usual } of npm.environmentVariables) {
    for (const choice of choices) expect(taken({ [name]: choice })).toHaveProperty('config');
    if (usual !== undefined) expect(taken({ [name]: usual }).config, name).toEqual(plain);
  }
});

function taken(environment: Record<string, string>) {
  const parsed = parseConfig([], environment);
  if ('print' in parsed) throw new Error('it only prints');
  return parsed;
}
