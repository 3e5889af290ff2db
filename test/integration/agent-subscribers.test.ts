import { type TestContext, test } from 'vitest';

import { type ListeningAgent, startAgent, until, within } from '../support/agent.ts';
import { connect } from '../support/agent-client.ts';
import { type FakeDriver, fakeDriver } from '../support/agent-driver.ts';

const uri = 'gpu-events://node';
const modern = 'SDK 2 in 2026-07-28';

interface News {
  readonly uri: string;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** A host that listens, and what it was told. */
async function subscriber(context: TestContext, { url }: ListeningAgent) {
  const client = await connect(context, modern, url);
  const news: News[] = [];
  client.setNotificationHandler(
    'notifications/resources/updated',
    ({ params }) => void news.push(params as News),
  );
  const subscription = await client.listen({ resourceSubscriptions: [uri] });
  return { client, news, subscription };
}

async function listening(context: TestContext): Promise<{ driver: FakeDriver; agent: ListeningAgent }> {
  const driver = fakeDriver(context);
  const agent = await startAgent(context, driver);
  await until('it waits for events', async () => (driver.calls()['nvmlEventSetWait_v2'] ?? 0) > 0);
  return { driver, agent };
}

const xid = (number: number, data: number) => ({ number, gpu: 1, type: 8, data });

test.concurrent('every subscriber is told of new events with the newest number, and reads them since its cursor', async (context) => {
  const { expect } = context;
  const { driver, agent } = await listening(context);
  const subscribers = [await subscriber(context, agent), await subscriber(context, agent)];

  driver.write({ events: [xid(1, 79)] });
  await until('both are told', () => subscribers.every(({ news }) => news.length === 1));
  const [first] = subscribers;
  const [content] = (await first?.client.readResource({ uri }))?.contents ?? [];
  const before = JSON.parse(String((content as { text?: unknown } | undefined)?.text));
  driver.write({ events: [xid(1, 79), xid(2, 31)] });
  await until('they are told again', () => subscribers.every(({ news }) => news.length === 2));
  const after = await first?.client.callTool({
    name: 'analyze_xid_errors',
    arguments: { since: before.cursor },
    _meta: { 'k8s-gpu-mcp/structured': true },
  });

  for (const { news } of subscribers)
    expect(news.map((each) => [each.uri, each._meta?.['k8s-gpu-mcp/newest']])).toEqual([
      [uri, 1],
      [uri, 2],
    ]);
  expect(before.events).toMatchObject([{ number: 1, code: 79, gpuIndex: 1 }]);
  expect(after?.structuredContent).toMatchObject({ eventsLost: false, events: [{ number: 2, code: 31 }] });
});

test.concurrent('who has left is told no more, and who never asked is not told', async (context) => {
  const { driver, agent } = await listening(context);
  const [left, stays] = [await subscriber(context, agent), await subscriber(context, agent)];
  await left.subscription.close();

  driver.write({ events: [xid(1, 79)] });

  await until('the other is told', () => stays.news.length === 1);
  context.expect(left.news).toEqual([]);
});

test.concurrent('the resource is listed, also for hosts of 2025, and there is no other', async (context) => {
  const { expect } = context;
  const { agent } = await listening(context);
  for (const kind of [modern, 'SDK 2 in 2025-11-25', 'SDK 1'] as const) {
    const client = await connect(context, kind, agent.url);

    // Of 2025 a host that subscribed would never be told of anything.
    expect(client.getServerCapabilities()?.resources).toMatchObject({ subscribe: kind === modern });
    const { resources } = await client.listResources();
    const { contents } = await client.readResource({ uri });

    expect(resources).toMatchObject([{ uri, mimeType: 'application/json' }]);
    expect(contents).toMatchObject([{ uri, text: expect.stringContaining('"events":[]') }]);
    await expect(client.readResource({ uri: 'file:///etc/shadow' })).rejects.toThrow(
      /there is gpu-events:\/\/node/,
    );
  }
});

test.concurrent('a subscriber does not keep an agent that is told to end', async (context) => {
  const { agent } = await listening(context);
  await subscriber(context, agent);

  agent.child.kill('SIGTERM');

  context.expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, signal: null });
});
