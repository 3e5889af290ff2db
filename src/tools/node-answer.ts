import { z } from 'zod';

import type { NodeClock } from '../core/clock.ts';
import { faults } from '../core/fault.ts';
import { foldNames } from '../core/names.ts';
import { pciSlot } from '../core/pci.ts';
import { orNull } from '../core/reading.ts';
import type { DriverState, GpuState, Snapshot } from '../core/snapshot.ts';
import { duration, sentence } from '../core/words.ts';
import { nodeClock } from './clocks.ts';
import { softwareOf, softwareShape } from './software.ts';
import type { NodeContext } from './tool.ts';

/** The state of a node's driver, as every answer carries it. */
export const driverAnswer = z.object({
  state: z.string().describe('starting, ok, unavailable or notResponding'),
  ...softwareShape,
  problem: z
    .object({ code: z.string(), message: z.string(), hint: z.string(), forMs: z.number().nullable() })
    .nullable()
    .describe('why GPUs cannot be read, what to do, and for how long that has been so'),
});
export type DriverAnswer = z.output<typeof driverAnswer>;

/** What every node's answer begins with. */
export const nodeAnswer = {
  simulated: z.boolean(),
  driver: driverAnswer,
  /** An agent of an older version does not tell it. */
  clock: nodeClock.optional().catch(undefined),
};

export function answerOf({ snapshot, nowMs, clock }: NodeContext): {
  simulated: boolean;
  driver: DriverAnswer;
  clock: NodeClock;
} {
  return { simulated: snapshot.simulated, driver: driverOf(snapshot.driver, nowMs), clock };
}

function driverOf(driver: DriverState, nowMs: number): DriverAnswer {
  return { state: driver.state, ...softwareOf(driver), problem: problemOf(driver, nowMs) };
}

function problemOf(driver: DriverState, nowMs: number): DriverAnswer['problem'] {
  if (driver.state === 'ok') return null;
  if (driver.state === 'starting')
    return {
      code: 'AGENT_STARTING',
      message: 'no sample was taken yet',
      hint: faults.AGENT_STARTING.hint,
      forMs: null,
    };
  const forMs = Math.round(nowMs - driver.sinceMs);
  if (driver.state === 'unavailable') {
    const { code, message, hint } = driver;
    return { code, message, hint, forMs };
  }
  return {
    code: 'DRIVER_NOT_RESPONDING',
    message: 'driver calls do not return; what is shown is as old as it says',
    hint: faults.DRIVER_NOT_RESPONDING.hint,
    forMs,
  };
}

/** `DRIVER_NOT_FOUND for 3 min: cannot load libnvidia-ml.so.1. Give the pod …`; null while all is well. */
export function driverText({ problem }: DriverAnswer): string | null {
  if (!problem) return null;
  const since = problem.forMs === null ? '' : ` for ${duration(problem.forMs)}`;
  return `${problem.code}${since}: ${sentence(problem.message)} ${problem.hint}`;
}

/** The GPUs that an answer is about: all, or the one named by index, UUID or PCI address, or by the UUID of a MIG device on it. */
export function selectGpus(
  { gpus }: Pick<Snapshot, 'gpus'>,
  wanted: string | number | undefined,
): readonly GpuState[] {
  if (wanted === undefined) return gpus;
  const name = String(wanted).toLowerCase();
  return gpus.filter(({ index, readings }) => {
    const migs = orNull(readings.migDevices) ?? [];
    const uuids = [readings.uuid, ...migs.map(({ uuid }) => uuid)].map(orNull);
    const address = orNull(readings.pciAddress);
    return (
      String(index) === name ||
      uuids.some((own) => own?.toLowerCase() === name) ||
      (isGpuAddress.test(name) && address !== null && pciSlot(address) === pciSlot(name))
    );
  });
}

/** `00000000:3B:00.0`, as nvidia-smi prints it, and `0000:3b:00`, as Xid lines do, are one; a GPU is function 0. */
const isGpuAddress = /^[\da-f]{4,8}:[\da-f]{2}:[\da-f]{2}(\.0)?$/;

/** Where the driver cannot be read nobody knows how many GPUs there are. */
export function driverProblemText(nodes: readonly string[]): string {
  if (nodes.length === 0) return '';
  return ` Driver problem on ${foldNames(nodes, 300)}: there may be more GPUs than could be read.`;
}

/** The greatest age, in ms; null where nothing was read. */
export function oldestOf(agesMs: readonly (number | null)[]): number | null {
  const known = agesMs.filter((ageMs) => ageMs !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

/** The line without which made-up data could pass for true. */
export function simulatedText(nodes: number, simulated: readonly string[]): string[] {
  if (simulated.length === 0) return [];
  if (simulated.length === nodes) return ['SIMULATED DATA: these GPUs are made up.'];
  return [`SIMULATED DATA on ${foldNames(simulated)}: those GPUs are made up.`];
}
