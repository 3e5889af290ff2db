import { unreadable } from '../core/driver.ts';
import type { GpuReadings } from '../core/gpu.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';

const identity = ['name', 'uuid', 'serial', 'pciAddress'] as const;

/** Every GPU that this agent has seen. A GPU that goes is written down as gone, never struck out. */
export class GpuBook {
  readonly #nowMs: () => number;
  #present: GpuState[] = [];
  #vanished: GpuState[] = [];
  /** Of the driver life before, until all of this one have been read. */
  #before: readonly GpuState[] = [];
  /** GPU → since when a call on it has not returned. It outlives a driver life: the call may still be in the old driver. */
  readonly #hanging = new Map<number, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get gpus(): readonly GpuState[] {
    return [...this.#present, ...this.#vanished];
  }

  /** The GPUs that may be asked now, by index. */
  get readable(): readonly number[] {
    return this.#present.map(({ index }) => index).filter((index) => !this.#hanging.has(index));
  }

  /** A driver life begins: the driver offers GPUs 0 … count-1. */
  begin(count: number): void {
    this.#before = [...this.#before, ...this.#present.filter(({ readAtMs }) => readAtMs !== null)];
    this.#present = Array.from({ length: count }, (_, index) => ({
      index,
      readings: unreadable('notReady'),
      readAtMs: null,
      trouble: this.#hangOf(index),
    }));
    this.#reconcile();
  }

  read(index: number, readings: GpuReadings): void {
    const known = this.#present[index];
    const whole = known ? { ...readings, ...identityOf(known, readings) } : readings;
    const lost = Object.values(readings).some((one) => 'missing' in one && one.missing === 'gpuLost');
    const sinceMs = known?.trouble?.kind === 'lost' ? known.trouble.sinceMs : this.#nowMs();
    const trouble = lost ? ({ kind: 'lost', sinceMs } as const) : null;
    this.#present[index] = { index, readings: whole, readAtMs: this.#nowMs(), trouble };
    this.#reconcile();
  }

  hung(index: number, sinceMs: number): void {
    this.#hanging.set(index, sinceMs);
    const gpu = this.#present[index];
    if (gpu) this.#present[index] = { ...gpu, trouble: this.#hangOf(index) };
  }

  /** The call that hung on this GPU has returned. */
  returned(index: number): void {
    this.#hanging.delete(index);
  }

  driverGone(): void {
    this.#present = this.#present.map((gpu) => ({
      ...gpu,
      readings: unreadable('driverUnavailable', identityIn(gpu.readings)),
    }));
  }

  #hangOf(index: number): GpuState['trouble'] {
    const sinceMs = this.#hanging.get(index);
    return sinceMs === undefined ? null : { kind: 'hung', sinceMs };
  }

  /** Once all of a new driver life have been read, those of the life before that are not among them have vanished. */
  #reconcile(): void {
    if (this.#present.some(({ readAtMs }) => readAtMs === null)) return;
    const gone = new Map([...this.#before, ...this.#vanished].map((gpu) => [keyOf(gpu), gpu]));
    for (const key of [null, ...this.#present.map(keyOf)]) gone.delete(key);
    this.#vanished = [...gone.values()].map((gpu) => ({
      ...gpu,
      readings: unreadable('gpuLost', identityIn(gpu.readings)),
      readAtMs: null,
      trouble: this.#absenceOf(gpu),
    }));
    this.#before = [];
  }

  #absenceOf({ trouble }: GpuState): GpuState['trouble'] {
    return trouble?.kind === 'vanished' ? trouble : { kind: 'vanished', sinceMs: this.#nowMs() };
  }
}

function keyOf({ readings }: GpuState): string | null {
  return orNull(readings.pciAddress) ?? orNull(readings.uuid);
}

function identityIn(readings: GpuReadings): Partial<GpuReadings> {
  return Object.fromEntries(identity.map((name) => [name, readings[name]]));
}

/** A GPU that is lost no longer says who it is; we still know. */
function identityOf({ readings: known }: GpuState, now: GpuReadings): Partial<GpuReadings> {
  const lacking = identity.filter((name) => 'missing' in now[name] && 'value' in known[name]);
  return Object.fromEntries(lacking.map((name) => [name, known[name]]));
}
