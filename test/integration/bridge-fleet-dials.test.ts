import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { createFleet } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { createLog } from '../../src/core/log.ts';
import { question } from '../support/question.ts';

const log = createLog('error', () => undefined);

/** A fleet whose every dial takes so long, and then fails. */
function slowlyDialled(nodes: number, dialMs: number) {
  const dials = { now: 0, most: 0, made: 0 };
  const dial = async (): Promise<Duplex> => {
    dials.made++;
    dials.most = Math.max(dials.most, ++dials.now);
    await new Promise((resolve) => setTimeout(resolve, dialMs));
    dials.now--;
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  };
  const members = Array.from({ length: nodes }, (_, at) => ({
    name: `n-${at}`,
    key: `${at}`,
    origin: new URL('http://localhost:8080'),
    dial,
  }));
  const roster = async () => ({ members, withoutAgent: [], complete: true, notes: [] });
  return { dials, fleet: createFleet({ roster, token: undefined, limits: defaultLimits, log }) };
}

test('at most 64 streams are being opened at once', async () => {
  const { dials, fleet } = slowlyDialled(200, 50);

  const { failed } = await fleet.ask(question);
  fleet.close();

  expect(failed).toHaveLength(200);
  expect(dials.most).toBeLessThanOrEqual(64);
  expect(dials.most).toBeGreaterThan(32);
});

// Found at 400 nodes: those at the end of the queue had used up their own 3 s before they were dialled, counted as
// failed, and were not asked in the next call.
test('a node that waited for its turn to be dialled is not called failed for having waited', async () => {
  const { dials, fleet } = slowlyDialled(400, 1200);

  const first = await fleet.ask(question);
  const dialled = dials.made;
  const second = fleet.ask(question);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const again = dials.made - dialled;
  await second;
  fleet.close();

  expect(first.failed).toHaveLength(400);
  expect(first.failed.filter(({ message }) => message.includes('of the whole call')).length).toBeGreaterThan(
    0,
  );
  expect(again).toBeGreaterThan(0);
}, 60_000);
