import {
  type EccLocation,
  type ErrorReadings,
  eccLocationNames,
  type RecoveryAction,
  type RemappedRows,
  type RowRemapHistogram,
  recoveryActions,
  type SramEcc,
} from '../../core/errors-readings.ts';
import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { map, orNull, type Reading } from '../../core/reading.ts';
import {
  type Device,
  eccCounters,
  eccErrors,
  type Nvml,
  repairStatusVersion,
  sramEccVersion,
  structs,
} from './abi.ts';
import type { FieldReader } from './fields.ts';
import { mode } from './mode-readers.ts';
import { read, readNumber, readPair, readStruct, roomForWhole, wholeIn } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

const { CORRECTED, UNCORRECTED } = eccErrors;
const { VOLATILE, AGGREGATE } = eccCounters;

export function errorReaders(nvml: Nvml, device: Device, field: FieldReader): ReadersOf<ErrorReadings> {
  const ecc = (error: number, counter: number) => () =>
    readNumber((out) => nvml.totalEccErrors(device, error, counter, out));
  return {
    eccMode: () => readPair((current, pending) => nvml.eccMode(device, current, pending), mode),
    eccCorrectedVolatile: ecc(CORRECTED, VOLATILE),
    eccUncorrectedVolatile: ecc(UNCORRECTED, VOLATILE),
    eccCorrectedAggregate: ecc(CORRECTED, AGGREGATE),
    eccUncorrectedAggregate: ecc(UNCORRECTED, AGGREGATE),
    eccLocations: () => eccLocations(nvml, device),
    sramEcc: () =>
      readStruct(
        structs.nvmlEccSramErrorStatus_v1_t,
        (out) => nvml.sramEccErrorStatus(device, out),
        sramEcc,
        sramEccVersion,
      ),
    remappedRows: () => remappedRows(nvml, device),
    rowRemapHistogram: () =>
      readStruct(
        structs.nvmlRowRemapperHistogramValues_t,
        (out) => nvml.rowRemapperHistogram(device, out),
        ({ max, high, partial, low, none }: RowRemapHistogram) => ({ max, high, partial, low, none }),
      ),
    retiredPagesPending: () =>
      map(
        readNumber((out) => nvml.retiredPagesPending(device, out)),
        (pending) => pending !== 0,
      ),
    retiredPagesSingleBit: () => field('retiredPagesSingleBit'),
    retiredPagesDoubleBit: () => field('retiredPagesDoubleBit'),
    repairPending: () =>
      readStruct(
        structs.nvmlRepairStatus_v1_t,
        (out) => nvml.repairStatus(device, out),
        (status: Record<'bChannelRepairPending' | 'bTpcRepairPending', number>) => ({
          channel: status.bChannelRepairPending !== 0,
          tpc: status.bTpcRepairPending !== 0,
        }),
        repairStatusVersion,
      ),
    unrepairableMemory: () =>
      readStruct(
        structs.nvmlUnrepairableMemoryStatus_v1_t,
        (out) => nvml.unrepairableMemory(device, out),
        ({ bUnrepairableMemory }: { bUnrepairableMemory: number }) => bUnrepairableMemory !== 0,
      ),
    recoveryAction: () => map(field('recoveryAction'), recoveryAction),
    pcieReplays: () => field('pcieReplays'),
    pcieCorrectableErrors: () => field('pcieCorrectableErrors'),
    pcieNonFatalErrors: () => field('pcieNonFatalErrors'),
    pcieFatalErrors: () => field('pcieFatalErrors'),
  };
}

const counts = {
  correctedVolatile: [CORRECTED, VOLATILE],
  uncorrectedVolatile: [UNCORRECTED, VOLATILE],
  correctedAggregate: [CORRECTED, AGGREGATE],
  uncorrectedAggregate: [UNCORRECTED, AGGREGATE],
} as const;
type Counts = Record<keyof typeof counts, number | null>;
const nowhere: ReadonlySet<string> = new Set([
  missingForCode(nvmlReturn.NOT_SUPPORTED),
  missingForCode(nvmlReturn.INVALID_ARGUMENT),
]);

/** Each board counts at some places only: the others are not supported, or unknown to its driver, which is no failure. */
function eccLocations(nvml: Nvml, device: Device): Reading<readonly EccLocation[]> {
  const counted: EccLocation[] = [];
  for (const [number, location] of eccLocationNames.entries()) {
    const at = countsAt(nvml, device, number);
    if ('value' in at) counted.push({ location, ...at.value });
    else if (!nowhere.has(at.missing)) return at;
  }
  return counted.length > 0 ? { value: counted } : { missing: 'notSupported' };
}

function countsAt(nvml: Nvml, device: Device, location: number): Reading<Counts> {
  const at: Partial<Counts> = {};
  for (const name of Object.keys(counts) as (keyof Counts)[]) {
    const [error, counter] = counts[name];
    const count = readNumber((out) => nvml.memoryErrorCounter(device, error, counter, location, out));
    if ('missing' in count && !nowhere.has(count.missing)) return count;
    at[name] = orNull(count);
  }
  if (Object.values(at).every((count) => count === null)) return { missing: 'notSupported' };
  return { value: at as Counts }; // the loop has filled it
}

type SramEccErrorStatus = Record<
  | `${'aggregate' | 'volatile'}${'UncParity' | 'UncSecDed' | 'Cor'}`
  | `aggregateUncBucket${'L2' | 'Sm' | 'Pcie' | 'Mcu' | 'Other'}`
  | 'bThresholdExceeded',
  number | bigint
>;

function sramEcc(status: SramEccErrorStatus): SramEcc {
  return {
    thresholdExceeded: Number(status.bThresholdExceeded) !== 0,
    correctedVolatile: Number(status.volatileCor),
    uncorrectedParityVolatile: Number(status.volatileUncParity),
    uncorrectedSecDedVolatile: Number(status.volatileUncSecDed),
    correctedAggregate: Number(status.aggregateCor),
    uncorrectedParityAggregate: Number(status.aggregateUncParity),
    uncorrectedSecDedAggregate: Number(status.aggregateUncSecDed),
    l2: Number(status.aggregateUncBucketL2),
    sm: Number(status.aggregateUncBucketSm),
    microcontroller: Number(status.aggregateUncBucketMcu),
    pcie: Number(status.aggregateUncBucketPcie),
    other: Number(status.aggregateUncBucketOther),
  };
}

function remappedRows(nvml: Nvml, device: Device): Reading<RemappedRows> {
  return read(
    [roomForWhole(), roomForWhole(), roomForWhole(), roomForWhole()] as const,
    ([correctable, uncorrectable, pending, failed]) =>
      nvml.remappedRows(device, correctable, uncorrectable, pending, failed),
    ([correctable, uncorrectable, pending, failed]) => ({
      correctable: wholeIn(correctable),
      uncorrectable: wholeIn(uncorrectable),
      pending: wholeIn(pending) !== 0,
      failed: wholeIn(failed) !== 0,
    }),
  );
}

function recoveryAction(value: number): RecoveryAction {
  return recoveryActions[value] ?? `unknown${value}`;
}
