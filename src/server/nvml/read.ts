import koffi, { type TypeObject } from 'koffi';

import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import type { Reading } from '../../core/reading.ts';
import type { Device, Nvml } from './abi.ts';

/** Makes one driver call: the value that `take` finds in its out arguments, or why there is none. */
export function read<Out, Value>(
  out: Out,
  call: (out: Out) => number,
  take: (out: Out) => Value,
): Reading<Value> {
  const code = call(out);
  return code === nvmlReturn.SUCCESS ? { value: take(out) } : { missing: missingForCode(code) };
}

/** The handle of the GPU with this index. */
export function deviceAt(nvml: Nvml, index: number): Reading<Device> {
  return read(
    [null] as [Device | null],
    (out) => nvml.deviceByIndex(index, out),
    ([handle]) => handle as Device, // NVML fills it on success
  );
}

/** A call with one whole number of 32 or 64 bits as its only result, which is not negative. */
export function readNumber(call: (out: Uint32Array) => number, scale = 1): Reading<number> {
  return read(roomForWhole(), call, (out) => wholeIn(out) / scale);
}

/** A call with two such numbers as results. */
export function readPair<Value>(
  call: (first: Uint32Array, second: Uint32Array) => number,
  take: (first: number, second: number) => Value,
): Reading<Value> {
  return read(
    [roomForWhole(), roomForWhole()] as const,
    ([first, second]) => call(first, second),
    ([first, second]) => take(wholeIn(first), wholeIn(second)),
  );
}

/** Not shared between calls: other calls may be made before this one (see rounds.ts). */
export function roomForWhole(): Uint32Array {
  return new Uint32Array(2);
}

const twoTo32 = 2 ** 32;

/** Both of our architectures put the low half first. */
export function wholeIn(room: Uint32Array): number {
  return (room[1] ?? 0) * twoTo32 + (room[0] ?? 0);
}

/**
 * A call that fills a buffer of `bytes` with text; noData where the driver answers with none. The driver may leave out the
 * final NUL when the text fills the buffer.
 */
export function readText(
  bytes: number,
  call: (buffer: Uint8Array, length: number) => number,
): Reading<string> {
  const text = read(
    Buffer.alloc(bytes),
    (buffer) => call(buffer, bytes),
    (buffer) => {
      const end = buffer.indexOf(0);
      return buffer.toString('utf8', 0, end === -1 ? bytes : end);
    },
  );
  return 'value' in text && text.value === '' ? { missing: 'noData' } : text;
}

/**
 * A call that fills a struct. What it holds comes as koffi decodes it: numbers, and bigints beyond 2^53.
 *
 * @param version the tag that NVML expects in front, where the struct has one
 */
export function readStruct<Members, Value>(
  struct: TypeObject,
  call: (out: Uint8Array) => number,
  take: (members: Members) => Value,
  version?: number,
): Reading<Value> {
  const buffer = Buffer.alloc(koffi.sizeof(struct));
  if (version !== undefined) buffer.writeUInt32LE(version);
  return read(buffer, call, (out) => take(koffi.decode(out, struct) as Members));
}
