import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { startTestFleet, until } from '../support/bridge.ts';
import { nodeFlags } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import {
  claudeCode,
  claudeCodeAfterProbe,
  claudeDesktop,
  claudeDesktopCodePanel,
} from '../support/hosts/claude.ts';
import { codex, cursor, vsCode } from '../support/hosts/editors.ts';
import { startHost } from '../support/hosts/host.ts';
import type { Message, Persona } from '../support/hosts/persona.ts';
import { kubeconfigs } from '../support/kubeconfigs.ts';

const { write, remove } = kubeconfigs();
const empty = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-empty-'));
afterAll(() => {
  remove();
  rmSync(empty, { recursive: true });
});

type Finish = (end: () => Promise<void>) => void;

const started = (onTestFinished: Finish, persona: Persona, args: readonly string[], env = {}) =>
  startHost(onTestFinished, persona, { command: process.execPath, args: [bridgeEntry, ...args], env });

function textOf({ result }: Message): string {
  const [block] = (result?.['content'] ?? []) as { text?: string }[];
  return block?.text ?? '';
}

describe('Claude Desktop', () => {
  test('has every server twice: each has its nodes, its ports and its answers, and one may go', async ({
    onTestFinished,
  }) => {
    const demo = ['demo', '--stdio']; // as the snippet that the demo prints
    const chat = started(onTestFinished, claudeDesktop, demo);
    const panel = started(onTestFinished, claudeDesktopCodePanel, demo);
    await Promise.all([chat.open(), panel.open()]);

    const answers = await Promise.all([chat.call('get_gpu_health'), panel.call('get_gpu_health')]);
    await panel.leave();
    const after = await chat.call('get_gpu_health');

    for (const answer of [...answers, after])
      expect(textOf(answer)).toMatch(/^partial: 3 of 4 GPU nodes answered .*\nNO ANSWER from gpu-node-4: /);
  });

  test('starts a server anew at once, before the old one has gone', async ({ onTestFinished }) => {
    const fleet = await startTestFleet(onTestFinished);
    const old = started(onTestFinished, claudeDesktop, nodeFlags(fleet));
    await old.open();
    await old.call('get_gpu_health');
    const gone = old.leave();

    const anew = started(onTestFinished, claudeDesktop, nodeFlags(fleet));
    await anew.open();

    expect(textOf(await anew.call('get_gpu_health'))).toMatch(/^success: 4 of 4/);
    expect(await gone).toEqual({ code: 0, signal: null });
  });

  test('knows no PATH of a shell: a plugin that is not in it is named, with the PATH that was searched', async ({
    onTestFinished,
  }) => {
    const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'kubelogn' } };
    const host = started(onTestFinished, claudeDesktop, [], { KUBECONFIG: write({ user }) });
    await host.open();

    const answer = await host.call('get_gpu_health');

    expect(textOf(answer)).toMatch(
      /^CREDENTIAL_PLUGIN_FAILED: logging in by kubelogn failed: there is no such program; looked in the folders \/usr\/bin, \/bin, \/usr\/sbin, \/sbin, .* Log in as for kubectl; if the program is missing from PATH, add its folder to PATH in the env of the MCP server entry\.$/,
    );
  });

  test('shows a server that was set up wrongly by its log: the one line there says what to do', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, claudeDesktop, ['--contxt', 'prod']);

    const { code } = await host.exit;

    expect(code).toBe(2);
    expect(host.stderr()).toBe(
      'k8s-gpu-mcp: there is no flag --contxt (did you mean --context?). See --help.\n',
    );
  });
});

describe('a desktop that hands on nothing at all', () => {
  test.for([claudeDesktop, cursor])(
    '$name: no PATH, no HOME, an empty folder',
    async (persona, { onTestFinished }) => {
      const bare = { ...persona, environment: {} };
      const host = started(onTestFinished, bare, ['demo', '--stdio']);
      await host.open();

      expect(textOf(await host.call('get_gpu_health'))).toMatch(/^partial: 3 of 4/);
      expect(host.stderr()).toBe('');
    },
  );
});

describe('Claude Code', () => {
  test('in the revision of 2026 finds on lists what it drops all tools without', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, claudeCode, []);
    const { 'server/discover': discovered, 'tools/list': listed } = await host.open();

    for (const answer of [discovered, listed])
      expect(answer?.result).toMatchObject({
        resultType: 'complete',
        ttlMs: expect.any(Number),
        cacheScope: 'public',
      });
  });

  test('subscribes to lists that never change: acknowledged, with no news, and no bar to leaving', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, claudeCode, []);
    await host.open();

    await until('it is acknowledged', () =>
      host.said.some(({ method }) => method === 'notifications/subscriptions/acknowledged'),
    );
    expect(await host.leave()).toEqual({ code: 0, signal: null });
  });

  test('runs tools in parallel, and in plan mode, by their hints: all of ours only read', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, claudeCodeAfterProbe, []);
    const { 'tools/list': listed } = await host.open();

    const found = listed?.result?.['tools'] as { annotations: object; description: string }[];
    expect(found).toHaveLength(tools.length);
    for (const { annotations, description } of found) {
      expect(annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false, openWorldHint: false });
      expect(description.length).toBeLessThan(2048); // what it cuts off in silence
    }
  });

  test('looks whether a server is well, and hangs up before the first word', async ({ onTestFinished }) => {
    const host = started(onTestFinished, { ...claudeCode, leaves: 'closes stdin' }, []);

    expect(await host.leave()).toEqual({ code: 0, signal: null });
    expect([host.said, host.stderr()]).toEqual([[], '']);
  });
});

describe('what no host of these sends, but the protocol allows', () => {
  test('ids that are texts, and one that is a number of the same digits: each answer has its own', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, vsCode, []);
    await host.open();
    const ids = ['100', 100, '', 'Ω', -1, Number.MAX_SAFE_INTEGER];

    for (const id of ids) host.send({ jsonrpc: '2.0', id, method: 'ping' });

    for (const id of ids) expect(await host.answer(id)).toMatchObject({ id, result: {} });
  });

  test('the cancelling of what was answered, never asked, or is the handshake, disturbs nothing', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, cursor, []);
    await host.open();

    for (const id of [0, 1, 4711, 'never']) host.cancel(id);
    host.send({ jsonrpc: '2.0', method: 'notifications/cancelled' });
    host.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });

    host.send({ jsonrpc: '2.0', id: 99, method: 'ping' });
    expect(await host.answer(99)).toHaveProperty('result');
  });

  // Revision 2025-03-26 had batches, and the next one took them out; the SDK reads none, and so do we not.
  test('a batch is passed over, and what comes after it is answered', async ({ onTestFinished }) => {
    const host = started(onTestFinished, codex, []);
    await host.open();

    host.write('[{"jsonrpc":"2.0","id":97,"method":"ping"}]\n');
    host.send({ jsonrpc: '2.0', id: 98, method: 'ping' });

    expect(await host.answer(98)).toHaveProperty('result');
  });

  test('a message that comes in pieces, and two that come in one, are read as what they are', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, claudeDesktop, []);
    await host.open();
    const ping = (id: number) => ({ jsonrpc: '2.0', id, method: 'ping', params: { x: 'é🔥' } });
    const bytes = Buffer.from([60, 61].map((id) => `${JSON.stringify(ping(id))}\n`).join(''));

    for (let at = 0; at < bytes.length; at += 7) {
      host.write(bytes.subarray(at, at + 7));
      await new Promise((resolve) => setImmediate(resolve));
    }

    await until('both are answered', () => [60, 61].every((id) => host.said.some((each) => each.id === id)));
  });

  test('a tool whose name is mistyped is an error of the protocol that names it', async ({
    onTestFinished,
  }) => {
    const host = started(onTestFinished, codex, []);
    await host.open();

    const { error } = await host.call('get_gpu_helth');

    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining('no tool get_gpu_helth') });
  });
});
