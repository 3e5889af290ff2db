import { setTimeout as sleep } from 'node:timers/promises';
import { describe, test } from 'vitest';

import type { Member } from '../../src/bridge/fleet/member.ts';
import { everyone, productLimits, startTestFleet, type TestFleet, until } from '../support/bridge.ts';
import { faults, passOn } from '../support/fault-proxy.ts';

const all = { a: 1, b: 2, c: 3, d: 4 };
const others = { a: 1, c: 3, d: 4 };

const refused = () => Promise.reject(Object.assign(new Error('pod is gone'), { code: 'ECONNREFUSED' }));
const silent = () => new Promise<never>(() => undefined);

/** Node b as it was: a pod that is no longer what stands for the node. */
function asBefore(members: readonly Member[], dial: NonNullable<Member['dial']>): Member[] {
  return members.map((member) => (member.name === 'b' ? { ...member, key: 'old b', dial } : member));
}

/** The roster has the old pod, which is gone, when a call begins; then whatever a look at it finds. */
function thenFound({ enlist }: TestFleet, look: Parameters<TestFleet['enlist']>[0]): void {
  let looks = 0;
  enlist((members) => (looks++ === 0 ? everyone(asBefore(members, refused)) : look(members)));
}

/** The roster has the old pod when a call begins, and the new one after so many looks. */
function replacedAfter({ enlist }: TestFleet, looks: number, dial: NonNullable<Member['dial']>) {
  let seen = 0;
  enlist((members) => everyone(seen++ < looks ? asBefore(members, dial) : members));
  return () => seen;
}

describe.concurrent('a pod that ends in the middle of a call', () => {
  test('does not make its node silent: the one that stands for it by then is asked', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    replacedAfter(fleet, 1, refused);

    expect(await fleet.call()).toMatchObject({ status: 'success', gpus: all });
    expect(fleet.nodes.b.received).toHaveLength(1);
  });

  test('control: where nobody else stands for it, it is named, after one look, and the next call does not wait', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    const looks = replacedAfter(fleet, Number.POSITIVE_INFINITY, refused);

    const first = await fleet.call();
    const looked = looks();
    const second = await fleet.call();

    for (const answer of [first, second])
      expect(answer).toMatchObject({
        status: 'partial',
        gpus: others,
        envelope: { failed: [{ node: 'b', code: 'NODE_UNREACHABLE' }] },
      });
    expect([looked, looks()]).toEqual([2, 3]);
  });

  test('and says nothing any more: the time that is left is enough for the other', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished, { limits: productLimits });
    replacedAfter(fleet, 1, silent);

    expect(await fleet.call()).toMatchObject({ status: 'success', gpus: all });
  });

  test('one that starts answers that it does: once it is ready it is asked anew', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call, enlist } = await startTestFleet(onTestFinished);
    let looks = 0;
    enlist((members) => {
      const ready = looks++ > 0;
      if (ready) nodes.b.behave(passOn);
      return everyone(members.map((member) => ({ ...member, ready })));
    });
    nodes.b.behave(faults.error500);

    expect(await call()).toMatchObject({ status: 'success', gpus: all });
  });

  test('another call has seen the new pod first: who waits for the old one is answered by the new one', async ({
    expect,
    onTestFinished,
  }) => {
    const { nodes, call, enlist } = await startTestFleet(onTestFinished);
    nodes.b.next(faults.blackHole);
    const waiting = call();
    await until('b is asked', () => nodes.b.received.length === 1);
    enlist((members) => everyone(members.map((member) => ({ ...member, key: `new ${member.key}` }))));

    const later = await call();

    expect(later).toMatchObject({ status: 'success', gpus: all });
    expect(await waiting).toMatchObject({ status: 'success', gpus: all });
  });

  test('with nobody after it, as its pod is ending: that is said, and what came of asking it', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    const withoutAgent = [{ node: 'b', why: 'pod gpu-mcp/b is terminating' }];
    thenFound(fleet, (members) =>
      everyone(
        members.filter(({ name }) => name !== 'b'),
        withoutAgent,
      ),
    );

    expect((await fleet.call()).envelope.failed).toMatchObject([
      {
        node: 'b',
        code: 'NODE_UNREACHABLE',
        message: 'pod gpu-mcp/b is terminating; when it was asked: pod is gone',
      },
    ]);
  });

  test('a cluster that cannot be asked again leaves what the node had to say', async ({
    expect,
    onTestFinished,
  }) => {
    const fleet = await startTestFleet(onTestFinished);
    thenFound(fleet, () => Promise.reject(new Error('no API server')));

    expect(await fleet.call()).toMatchObject({
      gpus: others,
      envelope: { failed: [{ node: 'b', code: 'NODE_UNREACHABLE', message: 'pod is gone' }] },
    });
  });

  test.for([
    ['does not hold the answer back for longer than a second look may take', 300, 'partial'],
    ['control: one that answers within that time is waited for', 10_000, 'success'],
  ] as const)(
    'a cluster that is silent by then %s',
    async ([, secondLookMs, status], { expect, onTestFinished }) => {
      const fleet = await startTestFleet(onTestFinished, { limits: { secondLookMs } });
      thenFound(fleet, async (members) => {
        await sleep(1500);
        return everyone(members);
      });

      expect((await fleet.call()).status).toBe(status);
    },
  );
});
