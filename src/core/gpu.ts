import { type ErrorReadings, errorSymbols } from './errors-readings.ts';
import { type IdentityReadings, identitySymbols } from './identity-readings.ts';
import { type LinkReadings, linkSymbols } from './link-readings.ts';
import { type LoadReadings, loadSymbols } from './load-readings.ts';
import { type ModeReadings, modeSymbols } from './mode-readings.ts';
import { type PowerReadings, powerSymbols } from './power-readings.ts';
import { type ThrottleReadings, throttleSymbols } from './throttle-readings.ts';

/**
 * All that a sample knows of one physical GPU. Units are in the names. Each field is one answer of the driver, so
 * each can be missing for a reason of its own: `notSupported` on boards without the feature, `notSupportedByDriver`
 * on drivers without the call, `gpuLost` once the GPU has left the bus.
 */
export interface GpuReadings
  extends IdentityReadings,
    ModeReadings,
    LoadReadings,
    PowerReadings,
    ThrottleReadings,
    ErrorReadings,
    LinkReadings {}

/** The driver call behind each reading; scenario files name a failing call by it. */
export const symbolOf: Readonly<Record<keyof GpuReadings, string>> = {
  ...identitySymbols,
  ...loadSymbols,
  ...powerSymbols,
  ...errorSymbols,
  ...modeSymbols,
  ...throttleSymbols,
  ...linkSymbols,
};

/** Every reading, in the order in which a sample takes them: what names the GPU comes first. */
export const readingNames = Object.keys(symbolOf) as (keyof GpuReadings)[];

/** Known after the first answer: it does not change in a driver life. */
const settledBesidesIdentity: readonly (keyof GpuReadings)[] = [
  'maxGraphicsClockMhz',
  'maxSmClockMhz',
  'maxMemoryClockMhz',
  'maxVideoClockMhz',
  'maxPcieGeneration',
  'maxPcieWidth',
  'slowdownTemperatureC',
  'shutdownTemperatureC',
  'maxMemoryTemperatureC',
  'maxTemperatureC',
  'slowdownMarginC',
  'shutdownMarginC',
  'maxMarginC',
  'maxMemoryMarginC',
  'defaultPowerLimitWatts',
  'powerLimitRange',
  'virtualizationMode',
];
export const settledReadings: ReadonlySet<keyof GpuReadings> = new Set([
  ...(Object.keys(identitySymbols) as (keyof GpuReadings)[]),
  ...settledBesidesIdentity,
]);

/** Taken once a minute: they change rarely, or the driver takes long to tell. */
export const slowReadings: ReadonlySet<keyof GpuReadings> = new Set([
  'averagePowerWatts',
  'computeMode',
  'persistenceMode',
  'fabric',
  'eccMode',
  'eccCorrectedAggregate',
  'eccUncorrectedAggregate',
  'eccLocations',
  'sramEcc',
  'rowRemapHistogram',
  'retiredPagesPending',
  'retiredPagesSingleBit',
  'retiredPagesDoubleBit',
  'repairPending',
  'unrepairableMemory',
  'pcieCorrectableErrors',
  'pcieNonFatalErrors',
  'pcieFatalErrors',
  'nvlinks',
]);
