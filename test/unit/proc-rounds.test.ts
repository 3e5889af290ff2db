import { expect, onTestFinished, test, vi } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { createAgent } from '../../src/server/agent.ts';
import { processRounds } from '../../src/server/proc/process-rounds.ts';
import { defaultScenario } from '../../src/simulate/built-in.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';

test('processes are listed once a minute, and again after a driver that did not answer', () => {
  const clock = { ms: 1000 };
  let listed = 0;
  const round = processRounds(
    async () => {
      listed += 1;
      throw new Error('the driver went away');
    },
    () => clock.ms,
  );
  const after = (ms: number) => {
    clock.ms += ms;
    round();
    return listed;
  };

  expect([after(0), after(50_000), after(10_000), after(50_000), after(10_000)]).toEqual([0, 0, 1, 1, 2]);
});

test('an agent lists them also where nobody asks', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const scenario = defaultScenario;
  const node = scenario.nodes[0]?.name ?? '';
  const driver = simulatedDriver({ scenario, node, nowMs: () => performance.now() });
  const inquire = vi.spyOn(driver, 'inquire');
  const agent = createAgent(
    {
      node,
      spawnDriver: () => driver,
      simulated: true,
      sampleIntervalMs: 1000,
      log: createLog('error', () => undefined),
    },
    1024,
  );
  onTestFinished(() => agent.stop());

  await vi.advanceTimersByTimeAsync(59_000);
  expect(inquire).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(4000);
  expect(inquire).toHaveBeenCalledWith('processes', 0);
});
