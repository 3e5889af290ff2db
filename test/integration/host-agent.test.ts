import { describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { agentProgram, startAgent } from '../support/agent.ts';
import { claudeCode, claudeCodeAfterProbe, claudeDesktop } from '../support/hosts/claude.ts';
import { codex, cursor, vsCode } from '../support/hosts/editors.ts';
import { startHost } from '../support/hosts/host.ts';
import type { Message } from '../support/hosts/persona.ts';

const simulated = ['--nvml-mode', 'simulated', '--log-level', 'error'];
const eightHealthy = /^SIMULATED DATA.*\n8 GPUs on 1 node: 8 ok\./;
const names = tools.map(({ name }) => name);

function textOf({ result }: Message): string {
  const [block] = (result?.['content'] ?? []) as { text?: string }[];
  return block?.text ?? '';
}

// On one machine with GPUs nobody needs a bridge: a host starts the agent itself.
describe('the agent of one machine, over stdin and stdout', () => {
  test.for([claudeDesktop, claudeCode, claudeCodeAfterProbe, cursor, vsCode, codex])(
    '$name: greets, finds the tools, asks, and leaves',
    async (persona, { onTestFinished }) => {
      const host = startHost(onTestFinished, persona, { command: agentProgram, args: simulated });

      const { 'tools/list': listed } = await host.open();
      const answer = await host.call('get_gpu_health', {});

      expect(listed?.result).toMatchObject({ tools: names.map((name) => ({ name })) });
      expect(answer.result).not.toHaveProperty('structuredContent');
      expect(textOf(answer)).toMatch(eightHealthy);
      expect(await host.leave()).toEqual({ code: 0, signal: null });
      expect(host.stderr()).toBe('');
    },
  );
});

describe('the agent over HTTP', () => {
  test.for([cursor, vsCode, codex])(
    '$name by url: the same messages, one POST each',
    async (persona, context) => {
      const { url } = await startAgent(context, { args: simulated });
      const post = async (message: Message) => {
        const headers = {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(message.method !== 'initialize' && { 'mcp-protocol-version': persona.revision }),
        };
        const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(message) });
        return { status: response.status, text: await response.text() };
      };

      const statuses: (number | undefined)[] = [];
      for (const message of persona.opening.flat()) {
        const { status } = await post(message);
        statuses.push(message.id === undefined ? status : undefined);
      }
      const answer = await post(persona.call('get_gpu_health', {}, 0));

      expect(statuses.filter((status) => status !== undefined)).toEqual([202]); // to a notification
      expect(answer.status).toBe(200);
      expect(answer.text).toContain('8 GPUs on 1 node: 8 ok.');
    },
  );
});
