import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import type { Reading } from '../../core/reading.ts';
import { type Device, type FieldValue, fieldIds, type Nvml } from './abi.ts';
import { read } from './read.ts';

/**
 * The readings that NVML gives by number. All are asked for in one call, when the first of them is wanted, and each is
 * answered for itself: the call succeeds although a single field failed.
 */
export function fieldsOf(nvml: Nvml, device: Device): (name: keyof typeof fieldIds) => Reading<number> {
  let answered: Reading<readonly FieldValue[]> | undefined;
  return (name) => {
    answered ??= askForAll(nvml, device);
    if ('missing' in answered) return answered;
    const field = answered.value.find(({ fieldId }) => fieldId === fieldIds[name]);
    if (field?.nvmlReturn === nvmlReturn.SUCCESS) return { value: fieldNumber(field) };
    return { missing: missingForCode(field?.nvmlReturn ?? nvmlReturn.NOT_SUPPORTED) };
  };
}

function askForAll(nvml: Nvml, device: Device): Reading<readonly FieldValue[]> {
  const fields = Object.values(fieldIds).map((fieldId) => ({
    fieldId,
    scopeId: 0,
    timestamp: 0,
    latencyUsec: 0,
    valueType: 0,
    nvmlReturn: 0,
    value: new Uint8Array(8),
  }));
  return read<FieldValue[], FieldValue[]>(
    fields,
    (out) => nvml.fieldValues(device, out.length, out),
    (out) => out,
  );
}

/** nvmlValueType_t: 0 double, 1 u32, 2 unsigned long (8 bytes), 3 u64, 4 i64, 5 i32, 6 u16. */
function fieldNumber({ value, valueType }: FieldValue): number {
  const view = new DataView(Uint8Array.from(value).buffer);
  switch (valueType) {
    case 0:
      return doubleOrU32(view);
    case 1:
      return view.getUint32(0, true);
    case 4:
      return Number(view.getBigInt64(0, true));
    case 5:
      return view.getInt32(0, true);
    case 6:
      return view.getUint16(0, true);
    default:
      return Number(view.getBigUint64(0, true));
  }
}

const leastNormalDouble = 2 ** -1022;

/**
 * R545 calls the u32 of the memory's temperature a double (DCGM works around it, too: its bug 4300930). A small whole
 * number read so is not a temperature of 0, but a double so close to it that no reading can be that.
 */
function doubleOrU32(view: DataView): number {
  const double = view.getFloat64(0, true);
  return double > 0 && double < leastNormalDouble ? view.getUint32(0, true) : double;
}
