import type { Driver } from '../../../src/core/driver.ts';
import type { GpuReadings } from '../../../src/core/gpu.ts';
import { simulatedDriver } from '../../../src/simulate/driver.ts';
import { parseScenario } from '../../../src/simulate/scenario.ts';

const nodes = `nodes:
  - { name: a, gpus: [{ model: H100, count: 2 }] }
  - { name: b, gpus: [{ model: T4, count: 1 }], driver: '550.163.01', cuda: '12.4' }
`;

/** A driver of node `a` (two H100) or `b` (a T4), with entries of the timeline, and its clock. */
export function simulated(timeline: readonly string[], node?: string) {
  const text = timeline.length > 0 ? `${nodes}timeline:\n  - ${timeline.join('\n  - ')}\n` : nodes;
  const clock = { seconds: 0 };
  const driver = simulatedDriver({
    scenario: parseScenario(text, 'test.yaml'),
    node,
    nowMs: () => clock.seconds * 1000,
  });
  return { driver, clock };
}

/** Sets the clock, and reads one GPU. */
export async function readAt(
  { driver, clock }: { driver: Driver; clock: { seconds: number } },
  seconds: number,
  gpu = 0,
  slowly = true,
): Promise<GpuReadings> {
  clock.seconds = seconds;
  return driver.read(gpu, slowly);
}
