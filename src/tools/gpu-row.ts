import { z } from 'zod';

import { type GpuReadings, slowReadings } from '../core/gpu.ts';
import type { Memory } from '../core/load-readings.ts';
import type { MigDevice } from '../core/mode-readings.ts';
import { oncePerSample } from '../core/once-per-sample.ts';
import { orNull, type Reading, reasons } from '../core/reading.ts';
import { type GpuState, hangAfterMs } from '../core/snapshot.ts';
import type { MigRow } from './gpu-shape.ts';

export const troubleShape = z.object({
  kind: z.string().describe('lost, hung or vanished'),
  forMs: z.number(),
  againInMs: z
    .number()
    .optional()
    .describe('of a hung one whose call has returned late: when it is asked again'),
});

export function troubleOf({ trouble }: GpuState, nowMs: number): z.output<typeof troubleShape> | null {
  if (!trouble) return null;
  const { kind, sinceMs, againAtMs } = trouble;
  const again = againAtMs === undefined ? {} : { againInMs: Math.max(0, Math.round(againAtMs - nowMs)) };
  return { kind, forMs: Math.round(nowMs - sinceMs), ...again };
}

/** What the row of a GPU begins with, besides its readings. */
const head = {
  index: z.int(),
  ageMs: z.number().nullable(),
  trouble: troubleShape.nullable(),
  takesMs: z.number().optional().describe('how long the driver takes to tell it, where that is long'),
};

const missing = z.record(z.string(), z.string()).describe('field → why it is null');

export interface MoreReadings<Shape> {
  readonly shape: Shape;
  of(state: GpuState): { readonly [Name in keyof Shape]: Reading<unknown> };
}

/**
 * Rows with these readings of a GPU: the value, or null with the reason in `missing`. Units are in the names.
 *
 * @param shape readings by name: nullable, and with null as default where an agent of an older version does not tell them
 * @param more what is known of a sample besides the driver's readings
 */
export function gpuRowOf<
  const Shape extends { readonly [Name in keyof GpuReadings]?: z.ZodType },
  const More extends z.core.$ZodLooseShape = Record<never, never>,
>(shape: Shape, more?: MoreReadings<More>) {
  const names = Object.keys(shape) as (keyof Shape & keyof GpuReadings)[];
  const addedLater = names.filter((name) => shape[name] instanceof z.ZodDefault);
  const rarer = names.filter((name) => slowReadings.has(name)).join(', ') || 'none here';
  const slowAgeMs = z.number().nullable().default(null).describe(`of what is read once a minute: ${rarer}`);
  const schema = z.object({ ...head, slowAgeMs, ...shape, ...(more?.shape as More), missing });
  type Row = z.output<typeof schema>;
  const valuesOf = oncePerSample((state: GpuState) =>
    valuesIn({
      ...Object.fromEntries(names.map((name) => [name, state.readings[name]])),
      ...more?.of(state),
    }),
  );
  return {
    schema: schema.overwrite((row) => withUntold(row as Row & WithMissing, addedLater)),
    of: (state: GpuState, nowMs: number): Row => {
      const { index, readAtMs, slowReadAtMs } = state;
      return {
        index,
        ageMs: ageOf(readAtMs, nowMs),
        slowAgeMs: ageOf(slowReadAtMs, nowMs),
        trouble: troubleOf(state, nowMs),
        ...((state.tookMs ?? 0) >= hangAfterMs && { takesMs: Math.round(state.tookMs ?? 0) }),
        ...valuesOf(state),
      } as unknown as Row;
    },
  };
}

function ageOf(atMs: number | null, nowMs: number): number | null {
  return atMs === null ? null : Math.round(nowMs - atMs);
}

interface WithMissing {
  readonly missing: Readonly<Record<string, string>>;
}

function withUntold<Row extends WithMissing>(row: Row, addedLater: readonly string[]): Row {
  const values = row as Row & Readonly<Record<string, unknown>>;
  const untold = addedLater.filter((name) => values[name] === null && !(name in row.missing));
  if (untold.length === 0) return row;
  const reasons = Object.fromEntries(untold.map((name) => [name, 'notKnownToAgent']));
  return { ...row, missing: { ...row.missing, ...reasons } };
}

function valuesIn(readings: Readonly<Record<string, Reading<unknown>>>): object {
  return {
    ...Object.fromEntries(
      Object.entries(readings).map(([name, reading]) => [name, wireForm(name, orNull(reading))]),
    ),
    missing: reasons(readings),
  };
}

function wireForm(name: string, value: unknown): unknown {
  if (name === 'memory') return memoryRow(value as Memory | null);
  return name === 'migDevices' && value !== null ? (value as MigDevice[]).map(migRow) : value;
}

/** A bridge of an older version takes numbers only. */
function memoryRow(memory: Memory | null): MigRow['memory'] {
  if (!memory) return null;
  const { reservedBytes, ...rest } = memory;
  return reservedBytes === null
    ? { ...rest, reservedBytes: 0, usedIncludesReserved: true }
    : { ...rest, reservedBytes };
}

function migRow({ index, ...device }: MigDevice): MigRow {
  return {
    index,
    uuid: orNull(device.uuid),
    name: orNull(device.name),
    gpuInstanceId: orNull(device.gpuInstanceId),
    computeInstanceId: orNull(device.computeInstanceId),
    memory: memoryRow(orNull(device.memory)),
    slices: orNull(device.slices),
    missing: reasons(device),
  };
}
