import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { startTestFleet, type TestFleet, until } from '../support/bridge.ts';
import { nodeFlags } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { faults } from '../support/fault-proxy.ts';
import {
  claudeCode,
  claudeCodeAfterProbe,
  claudeDesktop,
  claudeDesktopCodePanel,
} from '../support/hosts/claude.ts';
import { codex, cursor, oldCursor, vsCode } from '../support/hosts/editors.ts';
import { type Host, startHost } from '../support/hosts/host.ts';
import type { Message, Persona } from '../support/hosts/persona.ts';

const personas = [
  claudeDesktop,
  claudeDesktopCodePanel,
  claudeCode,
  claudeCodeAfterProbe,
  cursor,
  oldCursor,
  vsCode,
  codex,
];
const names = tools.map(({ name }) => name);
const health = 'get_gpu_health';

type Finish = (end: () => Promise<void>) => void;

/** This host, its server on four nodes, and both done with greeting each other. */
async function opened(onTestFinished: Finish, persona: Persona, flags: readonly string[] = []) {
  const fleet = await startTestFleet(onTestFinished);
  const args = [bridgeEntry, ...flags, ...nodeFlags(fleet)];
  const host = startHost(onTestFinished, persona, { command: process.execPath, args });
  const greeting = await host.open();
  return { fleet, host, greeting };
}

function textOf({ result }: Message): string {
  const [block] = (result?.['content'] ?? []) as { text?: string }[];
  return block?.text ?? '';
}

/** What models have been seen to send, and what could harm: each is answered, and the server goes on. */
const madeUp: readonly (readonly [object, RegExp])[] = [
  [{ nodes: 'a' }, /^BAD_ARGUMENT: nodes: "a" is not possible; it takes a list/],
  [{ node: 'a' }, /^BAD_ARGUMENT: unknown argument "node" \(did you mean nodes\?\)/],
  [{ detail: 'FULL' }, /^BAD_ARGUMENT: detail: "FULL" is not possible \(did you mean full\?\)/],
  [
    { nodes: ['ノード-１', '\u2028', '\ud800', '🔥'] },
    /^NODE_NOT_FOUND: no GPU node matches .*there are a,b,c,d\./,
  ],
  [{ nodes: ['x'.repeat(300_000)] }, /^NODE_NOT_FOUND: /],
  [{ [`x${'y'.repeat(300_000)}`]: 1 }, /^BAD_ARGUMENT: unknown argument "xyyy/],
  [{ gpu: '../../etc/passwd\u0000\u001b[2J' }, /^GPU_NOT_FOUND: no GPU \.\.\/\.\.\/etc\/passwd \[2J on any/],
  [{ cursor: 'row-1\n<system>' }, /^BAD_ARGUMENT: cursor: "row-1 <system>" is not one that an answer gave/],
];

// One after another, and one server for what leaves it as it was: on a busy machine dozens at once would be late.
describe.each(personas)('$name', (persona) => {
  const ends: (() => Promise<void>)[] = [];
  let fleet: TestFleet;
  let host: Host;
  let greeting: Readonly<Record<string, Message>>;
  beforeAll(async () => {
    ({ fleet, host, greeting } = await opened((end) => void ends.unshift(end), persona));
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  test('is greeted in its revision, finds the tools, and is refused what is not there', () => {
    const { initialize, 'server/discover': discovered, 'tools/list': listed, ...others } = greeting;

    if (initialize) expect(initialize.result).toMatchObject({ protocolVersion: persona.revision });
    else expect(discovered?.result).toMatchObject({ supportedVersions: [persona.revision] });
    expect(listed?.result).toMatchObject({ tools: names.map((name) => ({ name })) });
    for (const [method, answer] of Object.entries(others))
      expect(answer.error, method).toEqual({ code: -32_601, message: expect.any(String) });
  });

  test('reads who answered and all that there is, in what it shows its model', async () => {
    const answer = await host.call(health, {});

    // With both, Claude Code and Codex would drop the text; without, they show it as all others do.
    expect(answer.result).not.toHaveProperty('structuredContent');
    expect(textOf(answer)).toMatch(
      /^success: 4 of 4 GPU nodes answered .*\nSIMULATED DATA.*\n10 GPUs on 4 nodes: 10 ok\./,
    );
  });

  test('may leave the arguments out', async () => {
    expect(textOf(await host.call(health))).toMatch(/^success: 4 of 4/);
  });

  test('is told of progress under the token of the call, or not at all', async () => {
    const before = host.said.length;
    const call = host.begin(health, {});
    await host.answer(call.id);

    const { progressToken } = (call.params?.['_meta'] ?? {}) as { progressToken?: number | string };
    const told = host.said.slice(before).filter(({ method }) => method === 'notifications/progress');
    expect(told.map(({ params }) => [params?.['progressToken'], params?.['progress']])).toEqual(
      progressToken === undefined ? [] : [1, 2, 3, 4].map((done) => [progressToken, done]),
    );
  });

  test('asks several things at once, and each answer is that of its question', async () => {
    const calls = [...'abcd'].map((node) => host.begin(health, { nodes: [node] }));
    const inventory = host.begin('get_gpu_inventory', {});
    const answers = await Promise.all(calls.map(({ id }) => host.answer(id)));

    expect(answers.map((answer) => /\n(\d+) GPUs? on 1 node/.exec(textOf(answer))?.[1])).toEqual([...'1234']);
    expect(textOf(await host.answer(inventory.id))).toContain('10 GPUs');
  });

  test('is refused in words, whatever its model made up', async () => {
    for (const [given, said] of madeUp) {
      const answer = await host.call(health, given);

      expect(answer.result?.['isError'], textOf(answer)).toBe(true);
      expect(textOf(answer)).toMatch(said);
      expect(textOf(answer).length).toBeLessThan(2000);
    }
  });

  test('takes a call back: it is answered no more, and the next one is', async () => {
    const { b } = fleet.nodes;
    const before = b.received.length;
    b.next(faults.blackHole);
    const { id = -1 } = host.begin(health, {});
    await until('b is asked', () => b.received.length > before);

    host.cancel(id);

    await until('b sees it', () => b.received[before]?.abandoned() === true);
    expect(textOf(await host.call(health, {}))).toMatch(/^success: 4 of 4/);
    expect(host.said.filter((each) => each.id === id && each.method === undefined)).toEqual([]);
  });

  test('leaves, and its server is gone, with no complaint', async () => {
    expect(await host.leave()).toEqual({ code: 0, signal: null });
    expect(host.stderr()).toBe('');
  });

  test('with --structured, each of text and data suffices without the other', async ({ onTestFinished }) => {
    const structured = await opened(onTestFinished, persona, ['--structured']);
    structured.fleet.nodes.b.behave(faults.error500);

    const answer = await structured.host.call(health, { detail: 'full' });

    const data = answer.result?.['structuredContent'] as { rows: { node: string }[] };
    expect(data).toMatchObject({
      status: 'partial',
      nodesTotal: 4,
      answered: 3,
      failed: [{ node: 'b', code: 'NODE_BAD_ANSWER', hint: expect.stringContaining('kubectl logs') }],
      simulatedNodes: [...'acd'],
      gpus: 8,
    });
    expect(data.rows.map(({ node }) => node).sort()).toEqual([...'acccdddd']);
    expect(textOf(answer)).toMatch(
      /^partial: 3 of 4 .*\nNO ANSWER from b: NODE_BAD_ANSWER: .*kubectl logs\.\n/,
    );
    expect(textOf(answer).match(/\b[acd] GPU \d/g)).toHaveLength(8);
  });
});
