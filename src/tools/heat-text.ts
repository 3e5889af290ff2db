import type { z } from 'zod';

import type { heatShape } from './gpu-shape.ts';
import { after, inBrackets } from './gpu-text.ts';

type Heat = { readonly [Name in keyof typeof heatShape]: z.output<(typeof heatShape)[Name]> };

/** `55 °C (memory 61, margin 32, slowdown 89, shutdown 95)`; null where nothing is known. */
export function heatText(row: Heat): string | null {
  const limits = [
    after('memory', row.memoryTemperatureC),
    after('margin', row.temperatureMarginC),
    after('software slows at', row.maxTemperatureC),
    after('slowdown', row.slowdownTemperatureC),
    after('shutdown', row.shutdownTemperatureC),
    after('memory limit', row.maxMemoryTemperatureC),
    after('slowdown margin', row.slowdownMarginC),
    after('shutdown margin', row.shutdownMarginC),
    after('software slows at margin', row.maxMarginC),
    after('memory at margin', row.maxMemoryMarginC),
  ].filter((text) => text !== null);
  if (row.temperatureC === null && limits.length === 0) return null;
  return `${row.temperatureC ?? '?'} °C${inBrackets(limits)}`;
}
