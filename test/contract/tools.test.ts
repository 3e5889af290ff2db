import { beforeAll, describe, expect, test } from 'vitest';

import { modern } from '../support/bridge-process.ts';
import { agentBinary, bridgeEntry } from '../support/build.ts';
import { answersOf } from '../support/stdio-program.ts';
import { complaints, type OfferedTool } from '../support/tool-lint.ts';

type ListedTool = OfferedTool & {
  readonly inputSchema: { readonly properties?: Readonly<Record<string, unknown>> };
  readonly outputSchema?: { readonly type?: unknown };
};

/** What a program answers to a host of either era, as it goes over the wire. */
interface Told {
  readonly line: string;
  readonly list: { readonly tools: ListedTool[]; readonly ttlMs?: number; readonly cacheScope?: string };
  readonly instructions: string;
}

const clientInfo = { name: 'test', version: '1' };
const openings = {
  '2026-07-28': { method: 'server/discover', params: modern() },
  '2025-11-25': {
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
  },
} as const;
type Era = keyof typeof openings;

async function told([command, ...args]: readonly [string, ...string[]], era: Era): Promise<Told> {
  const list = { method: 'tools/list', params: era === '2026-07-28' ? modern() : {} };
  const messages = [openings[era], list].map((message, at) => ({ jsonrpc: '2.0', id: at + 1, ...message }));
  const [opening = '', line = ''] = await answersOf(command, args, messages);
  return { line, list: JSON.parse(line).result, instructions: JSON.parse(opening).result.instructions };
}

/** What every conversation with the tools may begin with; all 15 must fit, and --structured has the answers' schemas too. */
const listBytes = 16 * 1024;

const programs = [
  { file: 'agent-tools.json', command: [agentBinary, '--nvml-mode', 'simulated'] },
  { file: 'bridge-tools.json', command: [process.execPath, bridgeEntry] },
  { file: 'bridge-tools-structured.json', command: [process.execPath, bridgeEntry, '--structured'] },
] as const;

describe.for(programs)('$file', ({ file, command }) => {
  let now: Told;
  let before: Told;

  beforeAll(async () => {
    [now, before] = await Promise.all([told(command, '2026-07-28'), told(command, '2025-11-25')]);
  });

  test('is what tools/list answers; a change here is a change to clients', async () => {
    await expect(`${JSON.stringify(now.list.tools, null, 2)}\n`).toMatchFileSnapshot(`./${file}`);
  });

  test('is the same each time, in the same order, for hosts of both eras', async () => {
    expect((await told(command, '2026-07-28')).line).toBe(now.line);
    expect(JSON.stringify(before.list.tools)).toBe(JSON.stringify(now.list.tools));
  });

  test('may be kept by a host, and by whoever stands in between', () => {
    expect(now.list).toMatchObject({ ttlMs: 300_000, cacheScope: 'public' });
  });

  test('fits every host: few tools, each as all of them want it, and a short list', () => {
    expect(now.list.tools.length).toBeLessThanOrEqual(15);
    for (const tool of now.list.tools) expect(complaints(tool), tool.name).toEqual([]);
    expect(Buffer.byteLength(now.line)).toBeLessThanOrEqual(listBytes);
  });

  test('comes with instructions that no host cuts off', () => {
    expect(now.instructions.length).toBeGreaterThan(100);
    expect(now.instructions.length).toBeLessThan(2048);
    expect(before.instructions).toBe(now.instructions);
  });
});

const [agent, bridge, structured] = programs;
const toolsOf = async ({ command }: (typeof programs)[number]) => (await told(command, '2026-07-28')).list.tools;

test('only on request does the bridge declare what its data looks like', async () => {
  const schemas = async (program: (typeof programs)[number]) =>
    (await toolsOf(program)).map(({ outputSchema }) => outputSchema?.type);

  expect(new Set(await schemas(agent))).toEqual(new Set([undefined]));
  expect(new Set(await schemas(bridge))).toEqual(new Set([undefined]));
  expect(new Set(await schemas(structured))).toEqual(new Set(['object']));
});

// A host may keep the list of an older bridge, and then must not refuse what a newer one answers.
test('no answer is declared to have no further fields', async () => {
  const tools = await toolsOf(structured);

  for (const { name, outputSchema } of tools)
    expect(JSON.stringify(outputSchema), name).not.toContain('"additionalProperties":false');
});

test('the bridge takes all that an agent takes, and which nodes and where to go on', async () => {
  const [ofAgent, ofBridge] = await Promise.all([toolsOf(agent), toolsOf(bridge)]);

  expect(ofBridge.map(({ name, description }) => [name, description])).toEqual(
    ofAgent.map(({ name, description }) => [name, description]),
  );
  for (const [at, { inputSchema }] of ofBridge.entries())
    expect(inputSchema.properties).toEqual({
      ...ofAgent[at]?.inputSchema.properties,
      nodes: expect.anything(),
      cursor: expect.anything(),
    });
});
