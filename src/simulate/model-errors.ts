import type { ErrorReadings } from '../core/errors-readings.ts';
import type { Reading } from '../core/reading.ts';
import type { ThrottleReadings } from '../core/throttle-readings.ts';
import type { Board } from './boards.ts';
import { loadSecondsAt } from './energy.ts';
import type { GpuModel } from './models.ts';

const none: Reading<number> = { value: 0 };
const notSupported = { missing: 'notSupported' } as const;
/** NVML's change log: from v570 on NVML_FI_DEV_GET_GPU_RECOVERY_ACTION replaces the reset-status fields. */
const firstDriverWithRecoveryAction = 570;

function has<T>(owned: boolean, value: T): Reading<T> {
  return owned ? { value } : notSupported;
}

/** A healthy GPU counts nothing, and says so. */
export function errors(kind: GpuModel & Board, driver: string): ErrorReadings {
  const { remapsRows, tellsRepairs, countsPcie, remapBanks } = kind;
  const zero = {
    correctedVolatile: 0,
    uncorrectedVolatile: 0,
    correctedAggregate: 0,
    uncorrectedAggregate: 0,
  };
  return {
    eccMode: { value: { current: true, pending: true } },
    eccCorrectedVolatile: none,
    eccUncorrectedVolatile: none,
    eccCorrectedAggregate: none,
    eccUncorrectedAggregate: none,
    eccLocations: { value: kind.eccLocations.map((location) => ({ location, ...zero })) },
    sramEcc: has(remapsRows, noSramErrors),
    remappedRows: has(remapsRows, { correctable: 0, uncorrectable: 0, pending: false, failed: false }),
    rowRemapHistogram: has(remapsRows, { max: remapBanks, high: 0, partial: 0, low: 0, none: 0 }),
    retiredPagesPending: has(!remapsRows, false),
    retiredPagesSingleBit: has(!remapsRows, 0),
    retiredPagesDoubleBit: has(!remapsRows, 0),
    repairPending: has(tellsRepairs, { channel: false, tpc: false }),
    unrepairableMemory: has(tellsRepairs, false),
    recoveryAction: has(majorOf(driver) >= firstDriverWithRecoveryAction, 'none'),
    pcieReplays: none,
    pcieCorrectableErrors: has(countsPcie, 0),
    pcieNonFatalErrors: has(countsPcie, 0),
    pcieFatalErrors: has(countsPcie, 0),
  };
}

const noSramErrors = {
  thresholdExceeded: false,
  correctedVolatile: 0,
  uncorrectedParityVolatile: 0,
  uncorrectedSecDedVolatile: 0,
  correctedAggregate: 0,
  uncorrectedParityAggregate: 0,
  uncorrectedSecDedAggregate: 0,
  l2: 0,
  sm: 0,
  microcontroller: 0,
  pcie: 0,
  other: 0,
};

/** A GPU that works hard meets its power limit now and then. */
const shareAtPowerLimit = 0.1;

export function throttle(
  { remapsRows }: GpuModel,
  seed: string,
  { atMs, driver }: { atMs: number; driver: string },
): ThrottleReadings {
  const atLimit = Math.round(loadSecondsAt(seed, atMs) * shareAtPowerLimit * 1000) / 1000;
  const newer = has(remapsRows && majorOf(driver) >= firstDriverWithRecoveryAction, 0);
  return {
    powerViolationSeconds: { value: atLimit },
    thermalViolationSeconds: none,
    syncBoostViolationSeconds: none,
    boardLimitViolationSeconds: none,
    lowUtilizationViolationSeconds: none,
    reliabilityViolationSeconds: none,
    appClocksViolationSeconds: none,
    baseClocksViolationSeconds: none,
    swThermalSlowdownSeconds: newer,
    hwThermalSlowdownSeconds: newer,
    hwPowerBrakeSlowdownSeconds: newer,
  };
}

function majorOf(driver: string): number {
  return Number.parseInt(driver, 10);
}
