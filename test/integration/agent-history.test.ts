import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestContext, test } from 'vitest';

import { type AgentProcess, runAgent, startAgent, until } from '../support/agent.ts';
import { dataOf, textOf, toolRequest } from '../support/agent-client.ts';
import { type FakeDriver, fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

interface Timeline {
  readonly noHistory: string | null;
  readonly gpus: readonly {
    readonly covered: { readonly samples: number } | null;
    readonly numbering: string;
    readonly newestRow: number;
    readonly gaps: readonly { readonly why: string }[];
    readonly events: readonly { readonly number: number; readonly code: number }[];
    readonly series: readonly { readonly name: string; readonly last: number }[];
  }[];
}

async function timelineOf(url: string) {
  const { gpus } = (await dataOf(url, 'get_gpu_timeline', { detail: 'full' })) as unknown as Timeline;
  const [gpu] = gpus;
  if (!gpu) throw new Error('there is no GPU');
  return gpu;
}

const fast = ['--sample-interval', '50ms'];

function historyFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-history-'));
  chmodSync(folder, 0o777);
  context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function tells(context: TestContext, driver: FakeDriver, xid: number) {
  const agent = await startAgent(context, driver);
  await until('it waits for events', () => (driver.calls()['nvmlEventSetWait_v2'] ?? 0) > 0);
  driver.write({ events: [{ number: 1, gpu: 0, type: 8, data: xid }] });
  await until('the event is told', async () => (await timelineOf(agent.url)).events.length > 0);
  return agent;
}

async function end(agent: AgentProcess, signal: NodeJS.Signals): Promise<void> {
  agent.child.kill(signal);
  await agent.ended;
}

test.concurrent('what a GPU does is kept from the first sample on', async (context) => {
  const driver = fakeDriver(context);
  const { url } = await startAgent(context, { ...driver, args: [...driver.args, ...fast] });

  const { covered, series } = await until('there are some samples', async () => {
    const now = await timelineOf(url);
    return (now.covered?.samples ?? 0) > 5 && now;
  });

  context.expect(covered?.samples).toBeGreaterThan(5);
  context.expect(series.find(({ name }) => name === 'temperatureC')?.last).toBe(32);
});

test.concurrent('an agent that is ended and started again goes on with rows, numbers and events', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const folder = historyFolder(context);
  const given = { ...driver, args: [...driver.args, ...fast, '--history-dir', folder] };
  const first = await tells(context, { ...driver, args: given.args }, 79);
  const before = await timelineOf(first.url);

  await end(first, 'SIGTERM');
  driver.write({});
  await sleep(1000); // longer than a sample may be late
  const second = await startAgent(context, given);
  const after = await timelineOf(second.url);

  expect(after.numbering).toBe(before.numbering);
  expect(after.newestRow).toBeGreaterThan(before.newestRow);
  expect(after.covered?.samples).toBeGreaterThan(before.covered?.samples ?? 0);
  expect(after.events).toMatchObject([{ number: 1, code: 79 }]);
  expect(after.gaps.map(({ why }) => why)).toContain('agentNotRunning');
});

test.concurrent('a folder in which nothing can be kept costs only that, and is told once', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context);
  const nowhere = join(driver.library, 'below-a-file');
  const { url, log } = await startAgent(context, {
    ...driver,
    args: [...driver.args, ...fast, '--history-dir', nowhere],
  });

  await until('there are samples', async () => ((await timelineOf(url)).covered?.samples ?? 0) > 2);

  expect(log().filter(({ msg }) => msg === 'the history is kept in memory only')).toMatchObject([
    { level: 'warn', folder: nowhere },
  ]);
});

test.concurrent('around an event every second is looked at, however rarely it is done else', async (context) => {
  const driver = fakeDriver(context);
  const rarely = { ...driver, args: [...driver.args, '--sample-interval', '3600s'] };
  const { url } = await tells(context, rarely, 31);

  await until('there are three more samples', async () => ((await timelineOf(url)).newestRow ?? 0) >= 4);
});

test.concurrent('who lives for one call says that it has seen nothing yet', async (context) => {
  const driver = fakeDriver(context);
  const { body } = toolRequest('get_gpu_timeline');

  const { stdout } = await runAgent(context, {
    ...driver,
    args: [...driver.args, '--oneshot', '1'],
    input: `${JSON.stringify(body)}\n`,
  });

  context.expect(stdout).toContain('this agent was started for one call');
});

test.concurrent('a GPU that left while no agent was there is told to be gone, by who knows it from the history', async (context) => {
  const { expect } = context;
  const driver = fakeDriver(context, { gpus: [h100(0), h100(1)] });
  const given = { ...driver, args: [...driver.args, ...fast, '--history-dir', historyFolder(context)] };
  const first = await startAgent(context, given);
  await until('both have a history', async () => {
    const { gpus } = (await dataOf(first.url, 'get_gpu_timeline')) as unknown as Timeline;
    return gpus.length === 2 && gpus.every(({ covered }) => (covered?.samples ?? 0) > 1);
  });
  await end(first, 'SIGTERM');

  driver.write({ gpus: [h100(0)] });
  const { url } = await startAgent(context, given);

  expect(await dataOf(url, 'get_gpu_inventory')).toMatchObject({ gone: [h100(1).uuid] });
  expect(await textOf(url, 'get_gpu_inventory')).toContain(
    `1 GPU not there any more, which was before the agent was restarted: ${h100(1).uuid}`,
  );
});
