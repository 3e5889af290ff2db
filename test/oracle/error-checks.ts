import { type ErrorReadings, eccLocationNames, recoveryActions } from '../../src/core/errors-readings.ts';
import { type Check, drift, type Form } from './check.ts';
import { counter, mode, one, part } from './pynvml-check.ts';

const ecc = (kind: string, since: string) => [
  one(`nvmlDeviceGetTotalEccErrors(gpu, NVML_MEMORY_ERROR_TYPE_${kind}, NVML_${since}_ECC)`, drift.none),
];
const sram = (name: string, member: string) =>
  part(
    name,
    `filled(nvmlDeviceGetSramEccErrorStatus, gpu, c_nvmlEccSramErrorStatus_v1_t()).${member}`,
    drift.none,
  );
const remapped = 'nvmlDeviceGetRemappedRows(gpu)';
const histogram = 'nvmlDeviceGetRowRemapperHistogram(gpu)';

/** As NVML names our eccLocationNames. */
const eccPlaces = 'L1_CACHE L2_CACHE DRAM REGISTER_FILE TEXTURE_MEMORY TEXTURE_SHM CBU SRAM'.split(' ');
const eccCounts = ['correctedVolatile', 'correctedAggregate', 'uncorrectedVolatile', 'uncorrectedAggregate'];

/** Those of the four counts that this place has. */
function eccLocation(location: string, at: number): Check {
  const count = `attempt(nvmlDeviceGetMemoryErrorCounter, gpu, kind, since, NVML_MEMORY_LOCATION_${eccPlaces[at]})`;
  const kinds = '(NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_MEMORY_ERROR_TYPE_UNCORRECTED)';
  const told = `[count for kind in ${kinds} for since in (NVML_VOLATILE_ECC, NVML_AGGREGATE_ECC) if (count := ${count}) is not None]`;
  return {
    ...one(told, drift.none),
    part: location,
    of(reading) {
      const own = (reading as Record<string, unknown>[]).find((place) => place['location'] === location);
      return own && eccCounts.map((name) => own[name]).filter((known) => known !== null);
    },
  };
}

const recoveryWords: Form = { read: (told) => recoveryActions[Number(told)] ?? told };

/** Not unrepairableMemory: pynvml looks for it behind a version, which the struct of nvml.h does not have. */
export const errorChecks: Readonly<
  Record<Exclude<keyof ErrorReadings, 'unrepairableMemory'>, readonly Check[]>
> = {
  eccMode: mode('nvmlDeviceGetEccMode'),
  eccCorrectedVolatile: ecc('CORRECTED', 'VOLATILE'),
  eccUncorrectedVolatile: ecc('UNCORRECTED', 'VOLATILE'),
  eccCorrectedAggregate: ecc('CORRECTED', 'AGGREGATE'),
  eccUncorrectedAggregate: ecc('UNCORRECTED', 'AGGREGATE'),
  eccLocations: eccLocationNames.map(eccLocation),
  sramEcc: [
    sram('thresholdExceeded', 'bThresholdExceeded != 0'),
    sram('correctedVolatile', 'volatileCor'),
    sram('uncorrectedParityVolatile', 'volatileUncParity'),
    sram('uncorrectedSecDedVolatile', 'volatileUncSecDed'),
    sram('correctedAggregate', 'aggregateCor'),
    sram('uncorrectedParityAggregate', 'aggregateUncParity'),
    sram('uncorrectedSecDedAggregate', 'aggregateUncSecDed'),
    sram('l2', 'aggregateUncBucketL2'),
    sram('sm', 'aggregateUncBucketSm'),
    sram('microcontroller', 'aggregateUncBucketMcu'),
    sram('pcie', 'aggregateUncBucketPcie'),
    sram('other', 'aggregateUncBucketOther'),
  ],
  remappedRows: [
    part('correctable', `${remapped}[0]`),
    part('uncorrectable', `${remapped}[1]`),
    part('pending', `${remapped}[2] == 1`),
    part('failed', `${remapped}[3] == 1`),
  ],
  rowRemapHistogram: (['max', 'high', 'partial', 'low', 'none'] as const).map((left) =>
    part(left, `${histogram}.${left}`),
  ),
  retiredPagesPending: [one('nvmlDeviceGetRetiredPagesPendingStatus(gpu) == 1')],
  retiredPagesSingleBit: counter(29),
  retiredPagesDoubleBit: counter(30),
  repairPending: [
    part('channel', 'nvmlDeviceGetRepairStatus(gpu)[0] == 1'),
    part('tpc', 'nvmlDeviceGetRepairStatus(gpu)[1] == 1'),
  ],
  recoveryAction: [{ ...one('field(gpu, 230)'), form: recoveryWords }],
  pcieReplays: counter(94),
  pcieCorrectableErrors: counter(173),
  pcieNonFatalErrors: counter(179),
  pcieFatalErrors: counter(180),
};
