import { Client, type ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { startTestFleet } from '../support/bridge.ts';
import { bareEnvironment, nodeFlags } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { faults } from '../support/fault-proxy.ts';

const names = tools.map(({ name }) => name);
const toolCall = { name: 'get_gpu_health', arguments: {} };

describe.concurrent('the SDKs that hosts are made with', () => {
  test.for<[string, ClientOptions]>([
    ['SDK 2, as it negotiates', { versionNegotiation: { mode: 'auto' } }],
    ['SDK 2, pinned to 2026', { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
    ['SDK 2, as a host of 2025', { versionNegotiation: { mode: 'legacy' } }],
  ])('%s: tools, answer, refusal', async ([, options], { expect, onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);
    const client = new Client({ name: 'test', version: '1' }, options);
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [bridgeEntry, ...nodeFlags(fleet)],
      env: { ...bareEnvironment },
    });
    onTestFinished(() => client.close());
    await client.connect(transport);

    const { tools: listed } = await client.listTools();
    const answer = await client.callTool(toolCall);
    const refused = await client.callTool({ name: 'get_gpu_health', arguments: { node: 'a' } });

    expect(listed.map(({ name }) => name)).toEqual(names);
    expect(answer).toMatchObject({
      content: [{ type: 'text', text: expect.stringMatching(/^success: 4 of 4 GPU nodes/) }],
    });
    expect(answer).not.toHaveProperty('structuredContent');
    expect(refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('unknown argument "node"') }],
    });
  });

  test('SDK 1: tools, answer, refusal; with --structured, the data too, of the form declared', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    fleet.nodes.b.behave(faults.error500);
    const client = new OldClient({ name: 'test', version: '1' });
    onTestFinished(() => client.close());
    await client.connect(
      new OldTransport({
        command: process.execPath,
        args: [bridgeEntry, '--structured', ...nodeFlags(fleet)],
        env: { ...bareEnvironment },
      }),
    );

    const { tools: listed } = await client.listTools();
    const answers = await Promise.all(
      names.map((name) => client.callTool({ name, arguments: { detail: 'full' } })),
    );
    const refused = await client.callTool({ name: 'get_gpu_health', arguments: { limit: 0 } });

    expect(listed.map(({ outputSchema }) => outputSchema?.type)).toEqual(names.map(() => 'object'));
    for (const { structuredContent } of answers)
      expect(structuredContent).toMatchObject({
        status: 'partial',
        nodesTotal: 4,
        answered: 3,
        failed: [{ node: 'b' }],
      });
    expect(refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^BAD_ARGUMENT: limit/) }],
    });
  });
});
