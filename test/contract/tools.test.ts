import { Client, InMemoryTransport, type Tool } from '@modelcontextprotocol/client';
import type { Server } from '@modelcontextprotocol/server';
import { describe, expect, test } from 'vitest';

import { bridgeServer } from '../../src/bridge/mcp.ts';
import { createLog } from '../../src/core/log.ts';
import { agentServer } from '../../src/server/mcp.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { nowMs, snapshot } from '../support/gpus.ts';

const node = { snapshot: snapshot([]), nowMs };
const log = createLog('error', () => undefined);
const metrics = agentMetrics(
  () => node.snapshot,
  () => nowMs,
);
const noFleet = () => Promise.reject(new Error('listing tools needs no fleet'));

const programs = [
  { file: 'agent-tools.json', server: () => agentServer({ node: 'a', context: () => node, log, metrics }) },
  { file: 'bridge-tools.json', server: () => bridgeServer(noFleet, false) },
  { file: 'bridge-tools-structured.json', server: () => bridgeServer(noFleet, true) },
] as const;

async function listed(server: Server): Promise<Tool[]> {
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'test', version: '1' });
  await server.connect(theirs);
  await client.connect(ours);
  const { tools } = await client.listTools();
  await client.close();
  return tools;
}

describe.for(programs)('$file', ({ file, server }) => {
  test('is what tools/list answers; a change here is a change to clients', async () => {
    const tools = await listed(server());

    await expect(`${JSON.stringify(tools, null, 2)}\n`).toMatchFileSnapshot(`./${file}`);
  });

  test('is the same each time, in the same order', async () => {
    expect(JSON.stringify(await listed(server()))).toBe(JSON.stringify(await listed(server())));
  });

  test('fits every host: few tools, short names and descriptions, and a short list', async () => {
    const tools = await listed(server());

    expect(tools.length).toBeLessThanOrEqual(15);
    for (const { name, title = '', description = '' } of tools) {
      expect(name).toMatch(/^[a-zA-Z0-9_-]{1,32}$/);
      expect(title.length).toBeGreaterThan(0);
      expect(description.length).toBeGreaterThan(100);
      expect(description.length).toBeLessThanOrEqual(600);
    }
    // Output schemas come on request only (--structured), for hosts that run code.
    if (!file.includes('structured')) expect(JSON.stringify({ tools }).length).toBeLessThanOrEqual(16 * 1024);
  });

  test('says of every tool that it only reads, and only what it is about', async () => {
    for (const { name, title, annotations } of await listed(server()))
      expect(annotations, name).toEqual({
        title,
        readOnlyHint: true,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      });
  });

  test('has schemas that every model API takes', async () => {
    for (const { name, inputSchema, outputSchema } of await listed(server()))
      for (const schema of [inputSchema, ...(outputSchema ? [outputSchema] : [])]) {
        expect(schema, name).toMatchObject({ type: 'object' });
        for (const word of ['oneOf', 'anyOf', 'allOf', 'not', 'if']) expect(schema, name).not.toHaveProperty(word);
        for (const [path, part] of parts(schema, name))
          if (part['type'] === 'array') expect(part, path).toHaveProperty('items');
      }
  });

  test('refuses arguments that it does not list, and describes those that it does', async () => {
    for (const { name, inputSchema } of await listed(server())) {
      expect(inputSchema['additionalProperties'], name).toBe(false);
      for (const [argument, schema] of Object.entries(inputSchema.properties ?? {}))
        expect(schema, `${name} ${argument}`).toHaveProperty('description');
    }
  });
});

test('only on request does the bridge declare what its data looks like', async () => {
  const schemas = async (structured: boolean) =>
    (await listed(bridgeServer(noFleet, structured))).map(({ outputSchema }) => outputSchema?.["type"]);

  expect(new Set(await schemas(false))).toEqual(new Set([undefined]));
  expect(new Set(await schemas(true))).toEqual(new Set(['object']));
});

test('the bridge takes all that an agent takes, and which nodes and where to go on', async () => {
  const [agent, bridge] = await Promise.all([
    listed(agentServer({ node: 'a', context: () => node, log, metrics })),
    listed(bridgeServer(noFleet, false)),
  ]);

  expect(bridge.map(({ name, description }) => [name, description])).toEqual(
    agent.map(({ name, description }) => [name, description]),
  );
  for (const [at, { inputSchema }] of bridge.entries())
    expect(inputSchema.properties).toEqual({
      ...agent[at]?.inputSchema.properties,
      nodes: expect.anything(),
      cursor: expect.anything(),
    });
});

function parts(value: unknown, path: string): [string, Record<string, unknown>][] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.entries(value).flatMap(([key, part]) => parts(part, `${path}.${key}`));
  return [[path, value as Record<string, unknown>], ...below];
}
