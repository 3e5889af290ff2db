import {
  acceptedContent,
  type GetPromptResult,
  type InputRequiredResult,
  inputRequired,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

import { ask } from './fixture-input-required.ts';
import { png } from './fixture-tools.ts';

type Content = GetPromptResult['messages'][number]['content'];

export function registerPrompts(server: McpServer): void {
  const simple = text('This is a simple prompt for testing.');
  server.registerPrompt('test_simple_prompt', { description: 'One text' }, () => prompt(simple));
  const image: Content = { type: 'image', data: png, mimeType: 'image/png' };
  server.registerPrompt('test_prompt_with_image', { description: 'An image' }, () =>
    prompt(image, text('Please analyze the image above.')),
  );
  const two = { description: 'Two', argsSchema: z.object({ arg1: z.string(), arg2: z.string() }) };
  server.registerPrompt('test_prompt_with_arguments', two, ({ arg1, arg2 }) =>
    prompt(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  const embedded = { description: 'A resource', argsSchema: z.object({ resourceUri: z.string() }) };
  server.registerPrompt('test_prompt_with_embedded_resource', embedded, ({ resourceUri: uri }) => {
    const resource = { uri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' };
    return prompt({ type: 'resource', resource }, text('Please process the embedded resource above.'));
  });
  const asks = { description: 'Asks first' };
  // Without arguments the context comes first, whatever the SDK's types say.
  server.registerPrompt('test_input_required_result_prompt', asks, asking as never);
}

function asking({ mcpReq }: ServerContext): GetPromptResult | InputRequiredResult {
  const given = acceptedContent<{ context: string }>(mcpReq.inputResponses, 'user_context');
  if (given) return prompt(text(given.context));
  return inputRequired({
    inputRequests: { user_context: ask('What context should the prompt use?', 'context') },
  });
}

function prompt(...contents: Content[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: 'user', content })) };
}

function text(said: string): Content {
  return { type: 'text', text: said };
}
