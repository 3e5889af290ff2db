import koffi from 'koffi';

import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import type { DriverProcess, ProcessKind, ProcessUtilization } from '../../core/process.ts';
import type { Missing, Reading } from '../../core/reading.ts';
import { type Device, type Nvml, noInstance, structs } from './abi.ts';

/** What is remembered of one GPU from one question to the next. */
export interface ProcessMemory {
  /** Of the newest sample that was seen, in the driver's microseconds. */
  lastSeen: bigint;
  /** The newest sample of each process, by pid, and when it was read; monotonic. */
  readonly told: Map<number, { readonly utilization: ProcessUtilization; readonly readAtMs: number }>;
}

/**
 * The processes on a GPU: those of all lists that the driver has, one entry for each process and MIG instance. A list that
 * is not supported costs only its own; one that cannot be read costs all: a GPU whose compute list failed is not idle.
 *
 * Source: nvmlDeviceGet{Compute,Graphics,MPSCompute}RunningProcesses_v3, nvmlDeviceGetProcessUtilization
 */
export function nvmlProcesses(
  nvml: Nvml,
  device: Device,
  memory: ProcessMemory,
): Reading<readonly DriverProcess[]> {
  const lists: Readonly<Record<ProcessKind, Reading<readonly ProcessRecord[]>>> = {
    compute: listed((count, records) => nvml.computeProcesses(device, count, records)),
    graphics: listed((count, records) => nvml.graphicsProcesses(device, count, records)),
    mps: listed((count, records) => nvml.mpsProcesses(device, count, records)),
  };
  const read = Object.entries(lists).flatMap(([kind, list]) =>
    'value' in list ? list.value.map((record) => ({ kind: kind as ProcessKind, record })) : [],
  );
  const unread = Object.values(lists).flatMap((list) => ('missing' in list ? list.missing : []));
  const failed = unread.find((reason) => !reason.startsWith('notSupported'));
  if (failed !== undefined) return { missing: failed };
  if (unread.length === Object.keys(lists).length) return lists.compute as { missing: Missing };
  return { value: merged(read, utilizations(nvml, device, memory)) };
}

interface Listed {
  readonly kind: ProcessKind;
  readonly record: ProcessRecord;
}

/** A process that is in several lists is one. */
function merged(read: readonly Listed[], samples: Reading<Samples>): DriverProcess[] {
  const byIdentity = new Map<string, DriverProcess>();
  for (const [at, { kind, record }] of read.entries()) {
    const { pid, gpuInstanceId, computeInstanceId, usedBytes } = record;
    // A driver that cannot translate pids gives 0 for each of them: these are several processes.
    const key = pid === 0 ? `record ${at}` : `${pid} ${gpuInstanceId} ${computeInstanceId}`;
    const known = byIdentity.get(key);
    const utilization = utilizationOf(pid, samples);
    const kinds = [...new Set([...(known?.kinds ?? []), kind])];
    const used = 'missing' in usedBytes && known ? known.usedBytes : usedBytes; // one list may tell what another does not
    byIdentity.set(key, { pid, kinds, usedBytes: used, gpuInstanceId, computeInstanceId, utilization });
  }
  return [...byIdentity.values()];
}

function utilizationOf(pid: number, samples: Reading<Samples>): Reading<ProcessUtilization> {
  if ('missing' in samples) return samples;
  return (pid !== 0 && samples.value.get(pid)) || { missing: 'noData' };
}

interface ProcessRecord {
  readonly pid: number;
  readonly usedBytes: Reading<number>;
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
}

const recordBytes = koffi.sizeof(structs.nvmlProcessInfo_t);
/** What some builds of R535 write instead: the same with `usedGpuCcProtectedMemory` behind it. */
const longRecordBytes = 32;
/** NVML_VALUE_NOT_AVAILABLE */
const notAvailable = 0xffff_ffff_ffff_ffffn;
/** A list that grows each time between two calls is a driver gone mad. */
const attempts = 5;
/** What no driver writes at the end of a record: a count of bytes beyond any memory. */
const untouched = 0xee;

/** Asks how many there are, then for the records; again while the list has grown meanwhile. */
function listed(
  call: (count: [number], records: Uint8Array | null) => number,
): Reading<readonly ProcessRecord[]> {
  const count: [number] = [0];
  let code = call(count, null);
  for (let attempt = 0; code === nvmlReturn.INSUFFICIENT_SIZE && attempt < attempts; attempt++) {
    const room = count[0] * 2 + 5;
    const records = Buffer.alloc(room * longRecordBytes, untouched);
    count[0] = room;
    code = call(count, records);
    if (code === nvmlReturn.SUCCESS) return { value: recordsIn(records, Math.min(count[0], room)) };
  }
  return code === nvmlReturn.SUCCESS ? { value: [] } : { missing: missingForCode(code) };
}

function recordsIn(records: Buffer, count: number): ProcessRecord[] {
  const stride = strideOf(records, count);
  return Array.from({ length: count }, (_, index) => {
    const at = (member: string) => index * stride + koffi.offsetof(structs.nvmlProcessInfo_t, member);
    const used = records.readBigUInt64LE(at('usedGpuMemory'));
    const instance = (member: string) => {
      const id = records.readUInt32LE(at(member));
      return id === noInstance ? null : id;
    };
    return {
      pid: records.readUInt32LE(at('pid')),
      usedBytes: used === notAvailable ? { missing: 'notSupported' } : { value: Number(used) },
      gpuInstanceId: instance('gpuInstanceId'),
      computeInstanceId: instance('computeInstanceId'),
    };
  });
}

/** Told apart by how far the driver has written: what it leaves alone still has our mark. */
function strideOf(records: Buffer, count: number): number {
  const beyond = records.subarray(count * recordBytes, count * longRecordBytes);
  return beyond.every((byte) => byte === untouched) ? recordBytes : longRecordBytes;
}

const sampleBytes = koffi.sizeof(structs.nvmlProcessUtilizationSample_t);

/** By pid. */
type Samples = ReadonlyMap<number, Reading<ProcessUtilization>>;

/** The driver takes a sample each second at least: whoever asks just after another finds none that is newer. */
const toldAgainMs = 2000;

/**
 * The newest sample of each process that is newer than the last one seen, or was seen a moment ago.
 *
 * Source: nvmlDeviceGetProcessUtilization
 */
function utilizations(nvml: Nvml, device: Device, memory: ProcessMemory): Reading<Samples> {
  const samples = samplesSince(nvml, device, memory.lastSeen);
  if ('missing' in samples) return samples;
  const { told } = memory;
  const nowMs = performance.now();
  for (const [pid, { readAtMs }] of told) if (nowMs - readAtMs > toldAgainMs) told.delete(pid);
  for (const { pid, utilization, timeStamp } of [...samples.value].sort(oldestFirst)) {
    told.set(pid, { utilization, readAtMs: nowMs });
    if (timeStamp > memory.lastSeen) memory.lastSeen = timeStamp;
  }
  return { value: new Map([...told].map(([pid, { utilization }]) => [pid, { value: utilization }])) };
}

function oldestFirst(a: Sample, b: Sample): number {
  return Number(a.timeStamp - b.timeStamp);
}

function samplesSince(nvml: Nvml, device: Device, lastSeen: bigint): Reading<readonly Sample[]> {
  const count: [number] = [0];
  let code = nvml.processUtilization(device, null, count, lastSeen);
  let samples = Buffer.alloc(0);
  for (let attempt = 0; code === nvmlReturn.INSUFFICIENT_SIZE && attempt < attempts; attempt++) {
    count[0] += 5;
    samples = Buffer.alloc(count[0] * sampleBytes);
    code = nvml.processUtilization(device, samples, count, lastSeen);
  }
  if (code === nvmlReturn.NOT_FOUND) return { value: [] };
  if (code !== nvmlReturn.SUCCESS) return { missing: missingForCode(code) };
  const given = Math.min(count[0], samples.length / sampleBytes);
  const all = Array.from({ length: given }, (_, index) => sampleAt(samples, index * sampleBytes));
  return { value: all.filter(({ garbage }) => !garbage) };
}

interface Sample {
  readonly pid: number;
  readonly timeStamp: bigint;
  readonly utilization: ProcessUtilization;
  /** A share of more than all: the driver gives such samples now and then. */
  readonly garbage: boolean;
}

function sampleAt(samples: Buffer, start: number): Sample {
  const at = (member: string) => start + koffi.offsetof(structs.nvmlProcessUtilizationSample_t, member);
  const percent = (member: string) => samples.readUInt32LE(at(member));
  const timeStamp = samples.readBigUInt64LE(at('timeStamp'));
  const utilization = {
    smPercent: percent('smUtil'),
    memoryPercent: percent('memUtil'),
    encoderPercent: percent('encUtil'),
    decoderPercent: percent('decUtil'),
    atMs: Number(timeStamp / 1000n),
  };
  const { atMs: _, ...shares } = utilization;
  return {
    pid: percent('pid'),
    timeStamp,
    utilization,
    garbage: Object.values(shares).some((share) => share > 100),
  };
}
