import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

import { said } from './fixture-tools.ts';

const primitives = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
} as const;

const options = ['option1', 'option2', 'option3'];
const titled = [
  { const: 'value1', title: 'First' },
  { const: 'value2', title: 'Second' },
];
const enums = {
  untitledSingle: { type: 'string', enum: options },
  titledSingle: { type: 'string', oneOf: titled },
  legacyEnum: { type: 'string', enum: ['opt1', 'opt2'], enumNames: ['One', 'Two'] },
  untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
  titledMulti: { type: 'array', items: { anyOf: titled } },
} as const;

/**
 * Tools that ask the client something while it waits, as the revision of 2025 has it: that takes a session, and our servers
 * hold none. They are here so that it is this that fails, and not a tool that is not there.
 */
export function registerClientRequests(server: McpServer): void {
  const prompt = { description: 'test_sampling', inputSchema: z.object({ prompt: z.string() }) };
  server.registerTool('test_sampling', prompt, async ({ prompt: text }, { mcpReq }) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text } }];
    return said(JSON.stringify(await mcpReq.requestSampling({ messages, maxTokens: 100 })));
  });
  const asked = {
    test_elicitation: { username: { type: 'string' }, email: { type: 'string' } },
    test_elicitation_sep1034_defaults: primitives,
    test_elicitation_sep1330_enums: enums,
  } as const;
  for (const [name, properties] of Object.entries(asked)) {
    const config = { description: name, inputSchema: z.object({ message: z.string().optional() }) };
    server.registerTool(name, config, async ({ message = 'Please answer' }, { mcpReq }) => {
      const requestedSchema = { type: 'object' as const, properties: properties as never };
      return said(JSON.stringify(await mcpReq.elicitInput({ mode: 'form', message, requestedSchema })));
    });
  }
}
