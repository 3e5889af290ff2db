import { type RecoveryAction, recoveryActions } from '../../../src/core/errors-readings.ts';
import type { GpuReadings } from '../../../src/core/gpu.ts';
import { missingForCode, nvmlReturn } from '../../../src/core/nvml-return.ts';
import { type Missing, map, type Reading } from '../../../src/core/reading.ts';
import type { FakeField } from '../nvml/fake-config.ts';

export type Value<Name extends keyof GpuReadings> = Reading<
  Extract<GpuReadings[Name], { value: unknown }>['value']
>;

/** NVML_FI_DEV_…, its type as NVML answers, and its unit as a part of ours. */
const fields = {
  retiredPagesSingleBit: { id: 29, type: 'u64' },
  retiredPagesDoubleBit: { id: 30, type: 'u64' },
  powerViolationSeconds: { id: 74, type: 'u64', per: 1e9 },
  thermalViolationSeconds: { id: 75, type: 'u64', per: 1e9 },
  syncBoostViolationSeconds: { id: 76, type: 'u64', per: 1e9 },
  boardLimitViolationSeconds: { id: 77, type: 'u64', per: 1e9 },
  lowUtilizationViolationSeconds: { id: 78, type: 'u64', per: 1e9 },
  reliabilityViolationSeconds: { id: 79, type: 'u64', per: 1e9 },
  appClocksViolationSeconds: { id: 80, type: 'u64', per: 1e9 },
  baseClocksViolationSeconds: { id: 81, type: 'u64', per: 1e9 },
  memoryTemperatureC: { id: 82, type: 'u32' },
  energyJoules: { id: 83, type: 'u64', per: 1000 },
  pcieReplays: { id: 94, type: 'u32' },
  nvlinkTxBytes: { id: 138, type: 'u64', per: 1 / 1024 },
  nvlinkRxBytes: { id: 139, type: 'u64', per: 1 / 1024 },
  pcieCorrectableErrors: { id: 173, type: 'u32' },
  pcieNonFatalErrors: { id: 179, type: 'u32' },
  pcieFatalErrors: { id: 180, type: 'u32' },
  averagePowerWatts: { id: 185, type: 'u32', per: 1000 },
  instantPowerWatts: { id: 186, scope: 0, type: 'u32', per: 1000 },
  modulePowerWatts: { id: 186, scope: 1, type: 'u32', per: 1000 },
  shutdownMarginC: { id: 193, type: 'i32' },
  slowdownMarginC: { id: 194, type: 'i32' },
  maxMemoryMarginC: { id: 195, type: 'i32' },
  maxMarginC: { id: 196, type: 'i32' },
  pcieTxBytes: { id: 197, type: 'u64' },
  pcieRxBytes: { id: 198, type: 'u64' },
  recoveryAction: { id: 230, type: 'u32' },
  swThermalSlowdownSeconds: { id: 269, type: 'u64', per: 1e9 },
  hwThermalSlowdownSeconds: { id: 270, type: 'u64', per: 1e9 },
  hwPowerBrakeSlowdownSeconds: { id: 271, type: 'u64', per: 1e9 },
} as const satisfies {
  readonly [Name in keyof GpuReadings]?: {
    id: number;
    scope?: number;
    type: Extract<FakeField, { type: unknown }>['type'];
    per?: number;
  };
};
type FieldName = keyof typeof fields;

/** One that is missing says for itself why; the others stay. */
export function fakeFields(readings: GpuReadings): FakeField[] {
  return (Object.keys(fields) as FieldName[]).map((name) => {
    const { type, ...place }: { type: 'u32' | 'u64' | 'i32'; id: number; scope?: number; per?: number } =
      fields[name];
    const { per = 1, ...key } = place;
    const reading = name === 'recoveryAction' ? map(readings[name], recoveryNumber) : readings[name];
    return 'missing' in reading
      ? { ...key, code: codeFor(reading.missing) }
      : { ...key, type, value: Math.round(reading.value * per) };
  });
}

function recoveryNumber(action: RecoveryAction): number {
  const known = (recoveryActions as readonly string[]).indexOf(action);
  return known === -1 ? Number(action.replace('unknown', '')) : known;
}

/** A code that missingForCode understands as this reason. */
export function codeFor(reason: Missing): number {
  const known = Object.values(nvmlReturn).find((code) => code !== 0 && missingForCode(code) === reason);
  return known ?? Number(reason.replace('nvmlReturn', ''));
}
