import { expect, onTestFinished, test, vi } from 'vitest';

import { callCommand } from '../../src/bridge/call-command.ts';
import { attempts } from '../../src/bridge/fleet/attempts.ts';
import { createFleet, type Roster } from '../../src/bridge/fleet/fleet.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { Fault, type FaultCode } from '../../src/core/fault.ts';
import { createLog } from '../../src/core/log.ts';
import { health } from '../../src/tools/health.ts';

const silent = createLog('error', () => undefined);
const never = new AbortController().signal;

/** `call get_gpu_health` over a fleet whose roster never comes by itself. */
async function callOver(roster: (signal: AbortSignal) => Promise<Roster>) {
  const limits = { ...defaultLimits, fanOutMs: 50 };
  const fleet = createFleet({ roster, token: undefined, limits, log: silent });
  let closed = 0;
  const close = () => {
    closed += 1;
  };
  const open = async () => ({ ask: fleet.ask, close });
  const printed = await callCommand(open, 'get_gpu_health', [], { structured: false, signal: never });
  return { ...printed, closed };
}

/** Hears of the deadline when everybody does, and takes a few turns to say whose fault it was. */
function blaming(code: FaultCode, message: string): (signal: AbortSignal) => Promise<Roster> {
  return (signal) =>
    new Promise((_, reject) => {
      const blame = () => reject(new Fault(message, { code, cause: signal.reason }));
      signal.addEventListener('abort', () => setTimeout(blame, 5));
    });
}

test('a hung credential plugin is named: what the roster says at the deadline is not drowned by a general sentence', async () => {
  const { stderr, exitCode } = await callOver(
    blaming('CREDENTIAL_PLUGIN_FAILED', 'the login of context prod is not done yet'),
  );

  expect(stderr).toMatch(/^CREDENTIAL_PLUGIN_FAILED: the login of context prod is not done yet\. /);
  expect(exitCode).toBe(4);
});

test('a mute API server is named, and the exit code says that it was time', async () => {
  const { stderr, exitCode } = await callOver(
    blaming('CLUSTER_UNREACHABLE', 'https://10.0.0.1 gave no answer'),
  );

  expect(stderr).toMatch(/^CLUSTER_UNREACHABLE: https:\/\/10\.0\.0\.1 gave no answer\. /);
  expect(exitCode).toBe(4);
});

test('a roster that says nothing at all does not hold the answer back', async () => {
  const { stderr, exitCode, closed } = await callOver(() => new Promise(() => undefined));

  expect(stderr).toMatch(/^CLUSTER_UNREACHABLE: .* within 50 ms\. /);
  expect({ exitCode, closed }).toEqual({ exitCode: 4, closed: 1 });
});

test('a cluster that refuses at once is no matter of time: exit code 1; and the fleet is closed after a failure too', async () => {
  const { exitCode, closed } = await callOver(async () => {
    throw new Fault('connect ECONNREFUSED', { code: 'CLUSTER_UNREACHABLE' });
  });

  expect({ exitCode, closed }).toEqual({ exitCode: 1, closed: 1 });
});

// Each question left its timers behind, a fan-out's for 5 s and two for each node: a busy bridge held thousands, and made
// an error with a stack out of each when it rang.
test('the limits of a question that was answered do not outlive it', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const roster: Roster = { members: [], withoutAgent: [], complete: true, notes: [] };
  const fleet = createFleet({
    roster: async () => roster,
    token: undefined,
    limits: defaultLimits,
    log: silent,
  });
  const reply = { status: 200, contentType: null, body: 'well' };
  const road = { open: () => true, retries: 4, post: async () => reply, close: () => undefined };
  const once = { limits: defaultLimits, signal: never };
  const question = { tool: health, args: {}, nodes: undefined, requestId: '1', onProgress: () => undefined };

  await fleet.ask({ ...question, signal: never });
  const { body } = await attempts(road, {}, '', (given) => given, once);

  expect(body).toBe('well');
  expect(vi.getTimerCount()).toBe(0);
});
