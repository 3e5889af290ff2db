// The bridge's way of asking an agent, pointed at the conformance suite's servers. Bundled for Node and run by tests only.
import { Readable } from 'node:stream';
import { z } from 'zod';

import { type AskOptions, askNode, probeNode } from '../../../src/bridge/fleet/ask.ts';
import { defaultLimits } from '../../../src/bridge/fleet/limits.ts';
import { road } from '../../../src/bridge/fleet/road.ts';
import { request } from '../../../src/mcp/request.ts';
import { oneshot } from '../../../src/server/oneshot.ts';
import type { Tool } from '../../../src/tools/tool.ts';

const url = new URL(process.argv[2] ?? '');
const agent: AskOptions = {
  road: road({ origin: url }),
  token: undefined,
  limits: defaultLimits,
  signal: new AbortController().signal,
};

/** A tool of the suite's, which answers in text: the bridge wants data, so here anything will do. */
async function call(name: string, args: Record<string, unknown> = {}): Promise<void> {
  const tool = { name, output: z.any() } as unknown as Tool;
  await askNode(tool, args, 'conformance', agent);
}

/** The other client of ours: what is piped into `--oneshot` goes to the agent of the same pod under the same headers. */
async function passOn(...messages: ReturnType<typeof request>[]): Promise<void> {
  const lines = messages.map((message) => `${JSON.stringify(message)}\n`);
  const write = (line: string) => {
    if (!('result' in JSON.parse(line))) throw new Error(line);
  };
  await oneshot(Readable.from(lines), write, messages.length, ({ headers, body }) =>
    fetch(url, { method: 'POST', headers, body }),
  );
}

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  tools_call: () => call('add_numbers', { a: 5, b: 3 }),
  'request-metadata': async () => {
    await probeNode(agent);
    await call('any');
  },
  'http-standard-headers': async () => {
    await probeNode(agent);
    await call('my-hyphenated-tool');
    const own = { version: '1' };
    await passOn(
      request('tools/list', {}, own),
      request('resources/list', {}, own),
      request('resources/read', { uri: 'file:///path/to/file%20name.txt' }, own),
      request('prompts/list', {}, own),
      request('prompts/get', { name: 'test_prompt' }, own),
    );
  },
};

await scenarios[process.env['MCP_CONFORMANCE_SCENARIO'] ?? '']?.();
process.exit(0);
