import { type GpuReadings, readingNames } from '../core/gpu.ts';
import { goneKeys, historyKey } from '../core/history.ts';
import type { GpuState } from '../core/snapshot.ts';
import { selectGpus } from './node-answer.ts';
import { type Known, timelineOf, type Wanted } from './timeline-gpu.ts';
import type { GpuTimeline } from './timeline-shape.ts';

/**
 * Of GPUs that none of those there now says to be: an agent that was started after they left knows nothing else of them.
 * Without samples in the window only the one that was asked for.
 */
export function goneTimelines(
  asked: string | number | undefined,
  wanted: Wanted,
  known: Known,
): GpuTimeline[] {
  const { driverIsWell } = known;
  const allNamed = known.gpus.every((gpu) => historyKey(gpu) !== null);
  const nowWhy = driverIsWell && allNamed ? 'vanished' : known.nowWhy;
  const trouble = driverIsWell ? (allNamed ? 'notThereNow' : 'notNamed') : null;
  const gpus = selectGpus({ gpus: goneKeys(known.history, known.gpus).map(goneGpu) }, asked);
  return gpus
    .map((gpu) => timelineOf(gpu, wanted, { ...known, nowWhy }))
    .filter(({ covered }) => covered !== null || asked !== undefined)
    .map((gpu) => ({ ...gpu, index: null, trouble }));
}

/** All that is known of it is under which name its history is kept. */
function goneGpu(key: string): GpuState {
  const nothing = Object.fromEntries(readingNames.map((name) => [name, { missing: 'noData' }]));
  const name = key.startsWith('GPU-') ? 'uuid' : 'pciAddress';
  const readings = { ...nothing, [name]: { value: key } } as unknown as GpuReadings;
  return { index: -1, readings, readAtMs: null, slowReadAtMs: null, rates: null, trouble: null };
}
