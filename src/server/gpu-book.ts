import { type HowRead, type Identity, identityNames, isAbsent, unreadable } from '../core/driver.ts';
import type { GpuReadings } from '../core/gpu.ts';
import { ratesBetween } from '../core/rates.ts';
import { type Missing, orNull, type Reading } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';

/** A GPU on which calls have hung, as often in a row as it was asked. */
interface Hangs {
  readonly count: number;
  readonly sinceMs: number;
  /** Until then it is left alone. */
  readonly notBeforeMs: number;
}

/** One driver call that has not returned. */
export interface HungCall {
  readonly index: number;
}

/** Of the time that a hang takes: how long a GPU that hung twice is left alone, doubled with each further hang, and at most. */
const firstRest = 2;
const longestRest = 24;

/**
 * What is the board's own, and stays known when it can no longer be read: who it is, and the limits to its heat, without
 * which nobody could tell whether it was too hot before it went.
 */
const boardNames: readonly (keyof GpuReadings)[] = [
  ...identityNames,
  'slowdownTemperatureC',
  'shutdownTemperatureC',
  'maxMemoryTemperatureC',
  'slowdownMarginC',
  'shutdownMarginC',
];

/** Every GPU that this agent has seen. A GPU that goes is written down as gone, never struck out. */
export class GpuBook {
  readonly #nowMs: () => number;
  readonly #hangAfterMs: number;
  /** What the driver offers in this life, by index, with no more than it has said in this life. */
  #present: GpuState[] = [];
  /** Who was known when this life began. */
  #earlier: GpuState[] = [];
  #gpus: readonly GpuState[] = [];
  /** The GPUs with a call that has not returned. It outlives a driver life: the call may still be in the old driver. */
  readonly #hanging = new Map<number, HungCall>();
  readonly #hangs = new Map<number, Hangs>();
  #isOpen = false;

  constructor(nowMs: () => number, hangAfterMs: number) {
    this.#nowMs = nowMs;
    this.#hangAfterMs = hangAfterMs;
  }

  /** First those that the driver offers, by index. */
  get gpus(): readonly GpuState[] {
    return this.#gpus;
  }

  /**
   * The GPUs that may be asked now, by index; last those that have hung: whoever comes after one that hangs again waits for
   * as long as it takes to notice. (A GPU whose firmware is dead answers each call after 6 s, and so hangs each time.)
   */
  get readable(): readonly number[] {
    const nowMs = this.#nowMs();
    const [well, hung] = [[] as number[], [] as number[]];
    for (const { index } of this.#present) {
      const hangs = this.#hangs.get(index);
      if (!hangs) well.push(index);
      else if (!this.#hanging.has(index) && nowMs >= hangs.notBeforeMs) hung.push(index);
    }
    return [...well, ...hung];
  }

  /** How many GPUs are there to say anything. */
  get answering(): number {
    return this.#present.filter(({ trouble }) => trouble === null).length;
  }

  /** Whether a call on some GPU has not returned. */
  get hasHanging(): boolean {
    return this.#hanging.size > 0;
  }

  /** A driver life begins: the driver offers GPUs 0 … count-1. */
  begin(count: number): void {
    this.#isOpen = true;
    this.#earlier = this.#gpus.filter((gpu) => keyOf(gpu) !== null);
    // Of another number of GPUs nobody knows which one has what index: each is asked, and may hang again.
    if (count !== this.#present.length) this.#hanging.clear();
    for (const index of this.#hangs.keys()) if (!this.#hanging.has(index)) this.#hangs.delete(index);
    this.#present = Array.from({ length: count }, (_, index) => ({
      index,
      readings: unreadable('notReady'),
      readAtMs: null,
      slowReadAtMs: null,
      rates: null,
      trouble: this.#hangOf(index),
    }));
    this.#reconcile();
  }

  /** Who it is, before the rest of it is read. */
  met(index: number, identity: Identity): void {
    const slot = this.#present[index];
    if (!slot) return;
    const gpu = { ...slot, readings: { ...slot.readings, ...identity } };
    const known = this.#earlier.find((one) => keyOf(one) === keyOf(gpu));
    this.#present[index] = withBoard(gpu, known);
    this.#reconcile();
  }

  /** All is told to be as old as the oldest of it: what was read first, when that took long. */
  read(index: number, readings: GpuReadings, { slowly = true, tookMs = 0 }: Partial<HowRead> = {}): void {
    const known = this.#present[index];
    const readAtMs = this.#nowMs() - tookMs;
    const whole = known ? { ...readings, ...boardOf(known, readings) } : readings;
    const lost = Object.values(readings).some((one) => 'missing' in one && one.missing === 'gpuLost');
    const sinceMs = known?.trouble?.kind === 'lost' ? known.trouble.sinceMs : readAtMs;
    const trouble = lost ? ({ kind: 'lost', sinceMs } as const) : null;
    const before = known && known.readAtMs !== null ? known : undefined;
    const rates = ratesBetween(before, { readings, readAtMs });
    const slowReadAtMs = slowly ? readAtMs : (known?.slowReadAtMs ?? null);
    this.#present[index] = { index, readings: whole, readAtMs, slowReadAtMs, tookMs, rates, trouble };
    this.#hangs.delete(index);
    this.#reconcile();
  }

  /** Reading it has taken so long, and is not done: if it took longer the last time, that is still to be told. */
  takesLong(index: number, forMs: number): void {
    const gpu = this.#present[index];
    if (gpu) this.#present[index] = { ...gpu, tookMs: Math.max(gpu.tookMs ?? 0, forMs) };
    this.#reconcile();
  }

  /** @returns what is to be given back when the call returns */
  hung(index: number, sinceMs: number): HungCall {
    const call = { index };
    const before = this.#hangs.get(index) ?? { count: 0, sinceMs };
    this.#hanging.set(index, call);
    this.#hangs.set(index, { count: before.count + 1, sinceMs: before.sinceMs, notBeforeMs: 0 });
    this.#told(index);
    return call;
  }

  /** A call that hung has returned: its GPU may be asked again, the first time at once. */
  returned(call: HungCall): void {
    const { index } = call;
    if (this.#hanging.get(index) !== call) return; // of a driver life in which that was another GPU
    this.#hanging.delete(index);
    const hangs = this.#hangs.get(index);
    if (hangs && hangs.count > 1) {
      const rest = Math.min(firstRest * 2 ** (hangs.count - 2), longestRest);
      this.#hangs.set(index, { ...hangs, notBeforeMs: this.#nowMs() + rest * this.#hangAfterMs });
    }
    this.#told(index);
  }

  /** Of a GPU that was lost, or has answered late, nothing is known any more; one with a call in the old driver still hangs. */
  driverGone(): void {
    this.#isOpen = false;
    this.#present = this.#present.map((gpu) => ({
      ...absentOf(gpu, 'driverUnavailable'),
      trouble: this.#hanging.has(gpu.index) ? gpu.trouble : null,
    }));
    this.#reconcile();
  }

  #told(index: number): void {
    const gpu = this.#present[index];
    if (gpu) this.#present[index] = { ...gpu, trouble: this.#hangOf(index) };
    this.#reconcile();
  }

  #hangOf(index: number): GpuState['trouble'] {
    const hangs = this.#hangs.get(index);
    if (!hangs) return null;
    if (this.#hanging.has(index)) return { kind: 'hung', sinceMs: hangs.sinceMs };
    return this.#isOpen ? { kind: 'hung', sinceMs: hangs.sinceMs, againAtMs: hangs.notBeforeMs } : null;
  }

  /** Finds out who of those known is who of this life, and who is gone once none is left to be read. */
  #reconcile(): void {
    const { slots, absent } = recognised(this.#present, this.#earlier);
    const settled = slots.every(({ readAtMs, trouble }) => readAtMs !== null || trouble !== null);
    const gone = new Map(absent.map((gpu) => [gpu, settled ? this.#vanished(gpu) : awaited(gpu)]));
    this.#earlier = this.#earlier.map((gpu) => gone.get(gpu) ?? gpu); // remembers since when
    this.#gpus = [...slots, ...gone.values()];
  }

  #vanished(gpu: GpuState): GpuState {
    if (gpu.trouble?.kind === 'vanished') return gpu;
    const trouble = { kind: 'vanished', sinceMs: this.#nowMs() } as const;
    return { ...absentOf(gpu, 'gpuLost'), trouble };
  }
}

/**
 * A GPU that hangs, is lost or has not been read does not say who it is: it is taken for the one that had its index,
 * unless that one is elsewhere, and then for whoever is left, if all who are left have a place.
 */
function recognised(present: readonly GpuState[], earlier: readonly GpuState[]) {
  const named = new Set(present.map(keyOf));
  const left = earlier.filter((gpu) => !named.has(keyOf(gpu)));
  const take = (at: number) => (at < 0 ? undefined : left.splice(at, 1)[0]);
  const byIndex = present.map((slot) =>
    keyOf(slot) === null ? withBoard(slot, take(left.findIndex(({ index }) => index === slot.index))) : slot,
  );
  const nameless = byIndex.filter((slot) => keyOf(slot) === null);
  if (nameless.length < left.length) return { slots: byIndex, absent: left };
  const slots = byIndex.map((slot) => (keyOf(slot) === null ? withBoard(slot, take(0)) : slot));
  return { slots, absent: left };
}

function withBoard(slot: GpuState, known: GpuState | undefined): GpuState {
  return known ? { ...slot, readings: { ...slot.readings, ...boardOf(known, slot.readings) } } : slot;
}

/** Not found yet, while there are GPUs to be read. */
function awaited(gpu: GpuState): GpuState {
  return gpu.trouble?.kind === 'vanished' ? gpu : absentOf(gpu, 'notReady');
}

function absentOf({ index, readings }: GpuState, why: Missing): GpuState {
  return {
    index,
    readings: unreadable(why, boardIn(readings)),
    readAtMs: null,
    slowReadAtMs: null,
    rates: null,
    trouble: null,
  };
}

function keyOf({ readings }: GpuState): string | null {
  return orNull(readings.pciAddress) ?? orNull(readings.uuid);
}

function boardIn(readings: GpuReadings): [string, Reading<unknown>][] {
  return boardNames.map((name) => [name, readings[name]]);
}

/** A GPU that is lost no longer says who it is; we still know. A driver that says that there is no such limit is believed. */
function boardOf({ readings: known }: GpuState, now: GpuReadings): Partial<GpuReadings> {
  const lacking = boardNames.filter(
    (name) => 'missing' in now[name] && !isAbsent(now[name]) && 'value' in known[name],
  );
  return Object.fromEntries(lacking.map((name) => [name, known[name]]));
}
