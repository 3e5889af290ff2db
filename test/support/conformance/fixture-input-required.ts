import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequests,
  type InputRequiredSpec,
  inputRequired,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';

import { said } from './fixture-tools.ts';

type Mint = (state: Record<string, unknown>) => Promise<string>;
/** What a request of 2026 says of its client; the SDK's own type of it is empty. */
type Envelope = { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities };
type Tool = (request: ServerContext['mcpReq'], mint: Mint) => Promise<InputRequiredSpec | string>;

/** Asks the user for one value. */
export function ask(message: string, name: string, type: 'string' | 'boolean' = 'string') {
  const one = { type } as { type: 'string' } | { type: 'boolean' };
  const properties = { [name]: one };
  return inputRequired.elicit({ message, requestedSchema: { type: 'object', properties, required: [name] } });
}

function complete(text: string, maxTokens: number) {
  return inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text } }],
    maxTokens,
  });
}

const userName = () => ask('What is your name?', 'name');
const confirm = () => ask('Please confirm', 'ok', 'boolean');
const clientRoots = () => inputRequired.listRoots();
const greeting = () => complete('Generate a greeting', 50);

/** Each is asked again, with what it lacked, until it has all; what it knows meanwhile is in the request, sealed. */
const tools: Readonly<Record<string, Tool>> = {
  test_input_required_result_elicitation: async ({ inputResponses }) => {
    const name = acceptedContent<{ name: string }>(inputResponses, 'user_name')?.name;
    return typeof name === 'string' ? `Hello, ${name}!` : { inputRequests: { user_name: userName() } };
  },
  test_input_required_result_sampling: async ({ inputResponses }) => {
    const answer = inputResponses?.['capital_question'];
    if (answer) return `Sampling response: ${JSON.stringify(answer)}`;
    return { inputRequests: { capital_question: complete('What is the capital of France?', 100) } };
  },
  test_input_required_result_list_roots: async ({ inputResponses }) => {
    const roots = inputResponses?.['client_roots'];
    return roots ? `Roots: ${JSON.stringify(roots)}` : { inputRequests: { client_roots: clientRoots() } };
  },
  test_input_required_result_request_state: async ({ inputResponses, requestState }, mint) => {
    if (acceptedContent(inputResponses, 'confirm') && requestState()) return 'state-ok';
    return { inputRequests: { confirm: confirm() }, requestState: await mint({ step: 'confirm' }) };
  },
  test_input_required_result_tampered_state: async ({ inputResponses, requestState }, mint) => {
    if (acceptedContent(inputResponses, 'confirm') && requestState()) return 'integrity-ok';
    return { inputRequests: { confirm: confirm() }, requestState: await mint({ step: 'confirm' }) };
  },
  test_input_required_result_multiple_inputs: async ({ inputResponses = {} }, mint) => {
    const asked: InputRequests = { user_name: userName(), greeting: greeting(), client_roots: clientRoots() };
    if (Object.keys(asked).every((name) => name in inputResponses)) return 'All three came.';
    return { inputRequests: asked, requestState: await mint({ step: 'all three' }) };
  },
  test_input_required_result_multi_round: async ({ inputResponses, requestState }, mint) => {
    const round = requestState<{ round: number }>()?.round ?? 1;
    const answered = acceptedContent(inputResponses, `step${round}`) !== undefined;
    if (round === 2 && answered) return 'Both rounds are over.';
    if (round === 1 && !answered) {
      const step1 = ask('Step 1: What is your name?', 'name');
      return { inputRequests: { step1 }, requestState: await mint({ round: 1 }) };
    }
    const step2 = ask('Step 2: What is your favorite color?', 'color');
    return { inputRequests: { step2 }, requestState: await mint({ round: 2 }) };
  },
  test_input_required_result_capabilities: async ({ inputResponses, envelope }) => {
    if (inputResponses) return 'What was asked for came.';
    const declared = (envelope as Envelope | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    const { elicitation, sampling, roots } = declared;
    const inputRequests: InputRequests = {
      ...(elicitation && { user_name: userName() }),
      ...(sampling && { greeting: greeting() }),
      ...(roots && { client_roots: clientRoots() }),
    };
    return Object.keys(inputRequests).length > 0 ? { inputRequests } : 'The client can give nothing.';
  },
  // It is called by a client that has said that it cannot do this: the SDK must refuse to ask.
  test_missing_capability: async () => ({ inputRequests: { answer: complete('Say pong', 16) } }),
};

export function registerInputRequired(server: McpServer, mint: Mint): void {
  for (const [name, tool] of Object.entries(tools))
    server.registerTool(name, { description: name, inputSchema: z.object({}) }, async (_, { mcpReq }) => {
      const result = await tool(mcpReq, mint);
      return typeof result === 'string' ? said(result) : inputRequired(result);
    });
}
