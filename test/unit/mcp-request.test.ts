import { expect, test } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { plainText } from '../../src/core/words.ts';
import { headersOf, request } from '../../src/mcp/request.ts';
import { agentHandler } from '../../src/server/mcp.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { contextOf } from '../support/answers.ts';
import { snapshot } from '../support/gpus.ts';

const node = contextOf(snapshot([]));
const log = createLog('error', () => undefined);
const metrics = agentMetrics(() => node);
const handler = agentHandler(
  { node: 'a', context: () => node, inquire: async () => undefined, log, metrics },
  65_536,
);

// `--oneshot` passes on whatever it is given: with the name as it was, fetch refused "工具", and the agent " x " for another
// name than that in the body; who asked heard only that there was no answer.
test.for(['get_gpu_heath', 'größe', '工具', 'a\nb', ' x ', '', '=?base64?eA==?='])(
  'a request for %j reaches the agent under that name',
  async (name) => {
    const message = request('tools/call', { name, arguments: {} }, { version: '1' });
    const init = { method: 'POST', headers: headersOf(message), body: JSON.stringify(message) };

    const response = await handler.fetch(new Request('http://localhost/mcp', init));

    expect(await response.json()).toMatchObject({
      error: { code: -32_602, message: expect.stringContaining(`There is no tool ${plainText(name, 64)}`) },
    });
  },
);

test('a name that a header can carry is readable in it', () => {
  const message = request('resources/read', { uri: 'file:///a%20b c' }, { version: '1' });

  expect(headersOf(message)).toMatchObject({ 'mcp-method': 'resources/read', 'mcp-name': 'file:///a%20b c' });
});
