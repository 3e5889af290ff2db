import koffi from 'koffi';

import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import type { Reading } from '../../core/reading.ts';
import { allLinks, type Device, fieldIds, type Nvml, powerScopes, structs } from './abi.ts';
import { read } from './read.ts';

interface Field {
  readonly id: number;
  readonly scope?: number;
}

/** The readings that NVML gives by number. */
export const fields = {
  nvlinkTxBytes: { id: fieldIds.NVLINK_THROUGHPUT_DATA_TX, scope: allLinks },
  nvlinkRxBytes: { id: fieldIds.NVLINK_THROUGHPUT_DATA_RX, scope: allLinks },
  pcieTxBytes: { id: fieldIds.PCIE_COUNT_TX_BYTES },
  pcieRxBytes: { id: fieldIds.PCIE_COUNT_RX_BYTES },
  memoryTemperatureC: { id: fieldIds.MEMORY_TEMP },
  slowdownMarginC: { id: fieldIds.TEMPERATURE_SLOWDOWN_TLIMIT },
  shutdownMarginC: { id: fieldIds.TEMPERATURE_SHUTDOWN_TLIMIT },
  maxMarginC: { id: fieldIds.TEMPERATURE_GPU_MAX_TLIMIT },
  maxMemoryMarginC: { id: fieldIds.TEMPERATURE_MEM_MAX_TLIMIT },
  instantPowerWatts: { id: fieldIds.POWER_INSTANT, scope: powerScopes.GPU },
  averagePowerWatts: { id: fieldIds.POWER_AVERAGE, scope: powerScopes.GPU },
  modulePowerWatts: { id: fieldIds.POWER_INSTANT, scope: powerScopes.MODULE },
  energyJoules: { id: fieldIds.TOTAL_ENERGY_CONSUMPTION },
  powerViolationSeconds: { id: fieldIds.PERF_POLICY_POWER },
  thermalViolationSeconds: { id: fieldIds.PERF_POLICY_THERMAL },
  syncBoostViolationSeconds: { id: fieldIds.PERF_POLICY_SYNC_BOOST },
  boardLimitViolationSeconds: { id: fieldIds.PERF_POLICY_BOARD_LIMIT },
  lowUtilizationViolationSeconds: { id: fieldIds.PERF_POLICY_LOW_UTILIZATION },
  reliabilityViolationSeconds: { id: fieldIds.PERF_POLICY_RELIABILITY },
  appClocksViolationSeconds: { id: fieldIds.PERF_POLICY_TOTAL_APP_CLOCKS },
  baseClocksViolationSeconds: { id: fieldIds.PERF_POLICY_TOTAL_BASE_CLOCKS },
  swThermalSlowdownSeconds: { id: fieldIds.CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN },
  hwThermalSlowdownSeconds: { id: fieldIds.CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN },
  hwPowerBrakeSlowdownSeconds: { id: fieldIds.CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN },
  retiredPagesSingleBit: { id: fieldIds.RETIRED_SBE },
  retiredPagesDoubleBit: { id: fieldIds.RETIRED_DBE },
  recoveryAction: { id: fieldIds.GET_GPU_RECOVERY_ACTION },
  pcieReplays: { id: fieldIds.PCIE_REPLAY_COUNTER },
  pcieCorrectableErrors: { id: fieldIds.PCIE_COUNT_CORRECTABLE_ERRORS },
  pcieNonFatalErrors: { id: fieldIds.PCIE_COUNT_NON_FATAL_ERROR },
  pcieFatalErrors: { id: fieldIds.PCIE_COUNT_FATAL_ERROR },
} as const satisfies Record<string, Field>;
export type FieldName = keyof typeof fields;
/** @param scale what the driver's number is divided by */
export type FieldReader = (name: FieldName, scale?: number) => Reading<number>;

const size = koffi.sizeof(structs.nvmlFieldValue_t);
const at = (member: string) => koffi.offsetof(structs.nvmlFieldValue_t, member);
const offsets = {
  fieldId: at('fieldId'),
  scopeId: at('scopeId'),
  valueType: at('valueType'),
  nvmlReturn: at('nvmlReturn'),
  value: at('value'),
};

/**
 * Readings by number. All those that are wanted this time are asked for in one call, when the first of them is needed, and
 * each is answered for itself: the call succeeds although a single field failed.
 */
export function fieldsOf(nvml: Nvml, device: Device, wanted: (name: FieldName) => boolean): FieldReader {
  let answered: ReadonlyMap<FieldName, Reading<number>> | undefined;
  return (name, scale = 1) => {
    answered ??= askForAll(nvml, device, (Object.keys(fields) as FieldName[]).filter(wanted));
    const reading = answered.get(name) ?? { missing: 'notReady' };
    return 'missing' in reading ? reading : { value: reading.value / scale };
  };
}

function askForAll(nvml: Nvml, device: Device, names: readonly FieldName[]): Map<FieldName, Reading<number>> {
  const numbers = fieldNumbers(
    nvml,
    device,
    names.map((name) => fields[name]),
  );
  return new Map(
    names.map((name, index) => [
      name,
      'missing' in numbers ? numbers : (numbers.value[index] ?? { missing: 'notReady' }),
    ]),
  );
}

/** One call of nvmlDeviceGetFieldValues: a reading for each field, or why the call as a whole failed. */
export function fieldNumbers(
  nvml: Nvml,
  device: Device,
  asked: readonly Field[],
): Reading<readonly Reading<number>[]> {
  const values = new Uint8Array(size * asked.length);
  const view = new DataView(values.buffer);
  asked.forEach(({ id, scope = 0 }, index) => {
    view.setUint32(size * index + offsets.fieldId, id, true);
    view.setUint32(size * index + offsets.scopeId, scope, true);
  });
  return read(
    values,
    (out) => nvml.fieldValues(device, asked.length, out),
    () => asked.map((_, index) => fieldNumber(view, size * index)),
  );
}

function fieldNumber(view: DataView, start: number): Reading<number> {
  const code = view.getInt32(start + offsets.nvmlReturn, true);
  if (code === nvmlReturn.INVALID_ARGUMENT) return { missing: 'notSupportedByDriver' }; // a field newer than the driver
  if (code !== nvmlReturn.SUCCESS) return { missing: missingForCode(code) };
  return { value: numberOfType(view, start + offsets.value, view.getInt32(start + offsets.valueType, true)) };
}

/** nvmlValueType_t: 0 double, 1 u32, 2 unsigned long (8 bytes), 3 u64, 4 i64, 5 i32, 6 u16. */
function numberOfType(view: DataView, start: number, valueType: number): number {
  switch (valueType) {
    case 0:
      return doubleOrU32(view, start);
    case 1:
      return view.getUint32(start, true);
    case 4:
      return Number(view.getBigInt64(start, true));
    case 5:
      return view.getInt32(start, true);
    case 6:
      return view.getUint16(start, true);
    default:
      return Number(view.getBigUint64(start, true));
  }
}

const leastNormalDouble = 2 ** -1022;

/**
 * R545 calls the u32 of the memory's temperature a double (DCGM works around it, too: its bug 4300930). A small whole
 * number read so is not a temperature of 0, but a double so close to it that no reading can be that.
 */
function doubleOrU32(view: DataView, start: number): number {
  const double = view.getFloat64(start, true);
  return double > 0 && double < leastNormalDouble ? view.getUint32(start, true) : double;
}
