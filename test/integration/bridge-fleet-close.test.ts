import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

import { everyone, startTestFleet, until } from '../support/bridge.ts';
import { faults } from '../support/fault-proxy.ts';
import { question } from '../support/question.ts';

// Its nodes failed by being closed, so that the call looked who stands for them, and dialled them anew.
test('a fleet that is closed in the middle of a call ends it, and asks and dials nobody from then on', async () => {
  const { fleet, nodes } = await startTestFleet((end) => onTestFinished(end));
  const proxies = Object.values(nodes);
  for (const proxy of proxies) proxy.behave(faults.blackHole);
  const call = fleet.ask(question);
  await until('all are asked', () => proxies.every(({ received }) => received.length === 1));

  fleet.close();

  await expect(call).rejects.toThrow('the fleet was closed');
  await expect(fleet.ask(question)).rejects.toThrow('the fleet was closed');
  await sleep(300); // longer than until a second look
  expect(proxies.map((proxy) => proxy.accepted())).toEqual([1, 1, 1, 1]);
});

test('nor does a call that learns only then who is in the fleet', async () => {
  const { fleet, nodes, enlist } = await startTestFleet((end) => onTestFinished(end));
  enlist(async (members) => {
    fleet.close();
    return everyone(members);
  });

  await expect(fleet.ask(question)).rejects.toThrow('the fleet was closed');
  await sleep(100);
  expect(Object.values(nodes).map((proxy) => proxy.accepted())).toEqual([0, 0, 0, 0]);
});
