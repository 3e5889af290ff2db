import type { z } from 'zod';

import { gpuRowOf } from './gpu-row.ts';
import { errorShape, identityShape, loadShape, modeShape, pcieShape, powerShape } from './gpu-shape.ts';

const { memory, utilization, encoderPercent, decoderPercent, performanceState } = loadShape;
const { graphicsClockMhz, smClockMhz, memoryClockMhz } = loadShape;
const { temperatureC, memoryTemperatureC, slowdownTemperatureC, shutdownTemperatureC } = powerShape;
const { powerWatts, powerLimitWatts, defaultPowerLimitWatts, powerLimitRange } = powerShape;
const { energyJoules, clocksEventReasons } = powerShape;

/** What a GPU is and how it is set up, and what tells at a glance how it does. */
export const inventoryRow = gpuRowOf({
  ...identityShape,
  memory,
  utilization,
  encoderPercent,
  decoderPercent,
  temperatureC,
  memoryTemperatureC,
  slowdownTemperatureC,
  shutdownTemperatureC,
  powerWatts,
  powerLimitWatts,
  defaultPowerLimitWatts,
  powerLimitRange,
  energyJoules,
  graphicsClockMhz,
  smClockMhz,
  memoryClockMhz,
  clocksEventReasons,
  performanceState,
  ...pcieShape,
  ...errorShape,
  ...modeShape,
});
export type GpuRow = z.output<typeof inventoryRow.schema>;
