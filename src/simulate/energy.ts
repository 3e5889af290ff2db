import { loadAt } from './noise.ts';

const STEP_MS = 30_000;

/** Of each seed, the whole steps that are summed up already: an agent asks again and again, each time a little later. */
const summed = new Map<string, { readonly steps: number; readonly loadSeconds: number }>();

/** Load × time since the start, in seconds at full load. It depends on seed and time alone, and never falls. */
export function loadSecondsAt(seed: string, atMs: number): number {
  const whole = Math.floor(atMs / STEP_MS);
  const known = summed.get(seed);
  let { steps, loadSeconds } = known && known.steps <= whole ? known : { steps: 0, loadSeconds: 0 };
  for (; steps < whole; steps += 1) loadSeconds += loadIn(seed, steps) * (STEP_MS / 1000);
  summed.set(seed, { steps, loadSeconds });
  return loadSeconds + loadIn(seed, whole) * ((atMs - whole * STEP_MS) / 1000);
}

/** The load in the middle of a step stands for all of it. */
function loadIn(seed: string, step: number): number {
  return loadAt(seed, (step + 0.5) * STEP_MS);
}
