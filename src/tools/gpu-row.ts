import { z } from 'zod';

import { type GpuReadings, readingNames } from '../core/gpu.ts';
import { orNull, reasons } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { duration, gibibytes } from '../core/words.ts';

const mode = z.object({ current: z.boolean(), pending: z.boolean() }).nullable();

/** An agent of an older version does not tell it: `missing` says so then. */
const addedLater = z.number().nullable().default(null);

const asTold = z.object({
  index: z.int(),
  ageMs: z.number().nullable(),
  trouble: z.object({ kind: z.string().describe('lost, hung or vanished'), forMs: z.number() }).nullable(),
  name: z.string().nullable(),
  uuid: z.string().nullable(),
  serial: z.string().nullable(),
  pciAddress: z.string().nullable(),
  minorNumber: addedLater,
  memory: z
    .object({
      totalBytes: z.number(),
      reservedBytes: z.number(),
      usedBytes: z.number(),
      freeBytes: z.number(),
    })
    .nullable(),
  utilization: z.object({ gpuPercent: z.number(), memoryPercent: z.number() }).nullable(),
  encoderPercent: addedLater,
  decoderPercent: addedLater,
  temperatureC: z.number().nullable(),
  memoryTemperatureC: addedLater,
  slowdownTemperatureC: z.number().nullable(),
  shutdownTemperatureC: z.number().nullable(),
  powerWatts: z.number().nullable(),
  powerLimitWatts: z.number().nullable(),
  defaultPowerLimitWatts: z.number().nullable(),
  powerLimitRange: z.object({ minWatts: z.number(), maxWatts: z.number() }).nullable(),
  energyJoules: addedLater,
  graphicsClockMhz: z.number().nullable(),
  smClockMhz: z.number().nullable(),
  memoryClockMhz: z.number().nullable(),
  clocksEventReasons: z.array(z.string()).nullable(),
  performanceState: z.number().nullable(),
  eccMode: mode,
  eccCorrectedVolatile: z.number().nullable(),
  eccUncorrectedVolatile: z.number().nullable(),
  eccCorrectedAggregate: z.number().nullable(),
  eccUncorrectedAggregate: z.number().nullable(),
  remappedRows: z
    .object({
      correctable: z.number(),
      uncorrectable: z.number(),
      pending: z.boolean(),
      failed: z.boolean(),
    })
    .nullable(),
  retiredPagesPending: z.boolean().nullable(),
  recoveryAction: z.string().nullable(),
  pcieReplays: addedLater,
  migMode: mode,
  persistenceMode: z.boolean().nullable(),
  missing: z.record(z.string(), z.string()).describe('field → why it is null'),
});
const { shape } = asTold;
const readingsAddedLater = readingNames.filter((name) => shape[name] === addedLater);

/** Every reading of one GPU: the value, or null with the reason in `missing`. Units are in the names. */
export const gpuRow = asTold.overwrite((row) => {
  const untold = readingsAddedLater.filter((name) => row[name] === null && !(name in row.missing));
  if (untold.length === 0) return row;
  return {
    ...row,
    missing: { ...row.missing, ...Object.fromEntries(untold.map((name) => [name, 'notKnownToAgent'])) },
  };
});
export type GpuRow = z.output<typeof gpuRow>;

export function gpuRowOf({ index, readings, readAtMs, trouble }: GpuState, nowMs: number): GpuRow {
  return {
    index,
    ageMs: readAtMs === null ? null : Math.round(nowMs - readAtMs),
    trouble: trouble && { kind: trouble.kind, forMs: Math.round(nowMs - trouble.sinceMs) },
    ...valuesOf(readings),
  };
}

type Values = Omit<GpuRow, 'index' | 'ageMs' | 'trouble'>;

/** Made once for each sample: until the next one, many calls may ask, and only ages change. */
const made = new WeakMap<GpuReadings, Values>();

function valuesOf(readings: GpuReadings): Values {
  const known = made.get(readings);
  if (known) return known;
  const values = Object.fromEntries(
    Object.entries(readings).map(([name, reading]) => [name, orNull(reading)]),
  ) as Omit<Values, 'missing'>;
  const complete = { ...values, missing: reasons(readings) };
  made.set(readings, complete);
  return complete;
}

const troubles: Readonly<Record<string, string>> = {
  lost: 'LOST: off the bus',
  hung: 'HUNG: a driver call on it does not return',
  vanished: 'VANISHED: the driver no longer offers it',
};

/** `LOST: off the bus, for 3 min`; null for a GPU that is there. */
export function troubleText({ trouble }: Pick<GpuRow, 'trouble'>): string | null {
  return trouble && `${troubles[trouble.kind] ?? trouble.kind}, for ${duration(trouble.forMs)}`;
}

/** One line with every value; what is missing comes last, with the reason. */
export function gpuText(row: GpuRow): string {
  const parts = [
    troubleText(row),
    row.name,
    row.uuid,
    row.serial && `serial ${row.serial}`,
    pciText(row),
    row.minorNumber !== null && `/dev/nvidia${row.minorNumber}`,
    memoryText(row),
    utilizationText(row),
    temperatureText(row),
    powerText(row),
    energyText(row),
    clocksText(row),
    row.performanceState !== null && `P${row.performanceState}`,
    eccText(row),
    remapText(row),
    row.retiredPagesPending !== null && `retired pages pending: ${yesNo(row.retiredPagesPending)}`,
    row.recoveryAction && `recovery action ${row.recoveryAction}`,
    row.migMode && `MIG ${modeText(row.migMode)}`,
    row.persistenceMode !== null && `persistence ${onOff(row.persistenceMode)}`,
    row.ageMs !== null && `read ${duration(row.ageMs)} ago`,
    missingText(row.missing),
  ];
  return parts.filter(Boolean).join(', ');
}

function pciText({ pciAddress, pcieReplays }: GpuRow): string | null {
  if (pciAddress === null && pcieReplays === null) return null;
  return `PCI ${pciAddress ?? '?'}${inBrackets(pcieReplays === null ? [] : [`replays ${pcieReplays}`])}`;
}

function memoryText({ memory }: GpuRow): string | null {
  if (!memory) return null;
  const { usedBytes, totalBytes, reservedBytes } = memory;
  return `${gibibytes(usedBytes)} of ${gibibytes(totalBytes)} used (+ ${gibibytes(reservedBytes)} reserved)`;
}

function utilizationText({ utilization, encoderPercent, decoderPercent }: GpuRow): string | null {
  const parts = [
    utilization && `${utilization.gpuPercent} % busy (memory ${utilization.memoryPercent} %)`,
    encoderPercent !== null && `encoder ${encoderPercent} %`,
    decoderPercent !== null && `decoder ${decoderPercent} %`,
  ].filter(Boolean);
  return parts.join(', ') || null;
}

/** What is known of a group of readings; a part that is not known shows as `?`, and its reason stands under `missing`. */
function temperatureText(row: GpuRow): string | null {
  const { temperatureC, memoryTemperatureC, slowdownTemperatureC, shutdownTemperatureC } = row;
  const others = [
    memoryTemperatureC !== null && `memory ${memoryTemperatureC}`,
    slowdownTemperatureC !== null && `slowdown ${slowdownTemperatureC}`,
    shutdownTemperatureC !== null && `shutdown ${shutdownTemperatureC}`,
  ].filter(Boolean);
  if (temperatureC === null && others.length === 0) return null;
  return `${temperatureC ?? '?'} °C${inBrackets(others)}`;
}

function powerText(row: GpuRow): string | null {
  const { powerWatts, powerLimitWatts, defaultPowerLimitWatts, powerLimitRange } = row;
  const bounds = [
    defaultPowerLimitWatts !== null && `default ${defaultPowerLimitWatts}`,
    powerLimitRange && `settable ${powerLimitRange.minWatts} to ${powerLimitRange.maxWatts}`,
  ].filter(Boolean);
  if (powerWatts === null && powerLimitWatts === null && bounds.length === 0) return null;
  return `${powerWatts ?? '?'} of ${powerLimitWatts ?? '?'} W${inBrackets(bounds)}`;
}

function energyText({ energyJoules }: GpuRow): string | null {
  return energyJoules === null ? null : `${Math.round(energyJoules)} J since driver load`;
}

function clocksText(row: GpuRow): string | null {
  const clocks = [
    row.graphicsClockMhz !== null && `graphics ${row.graphicsClockMhz}`,
    row.smClockMhz !== null && `SM ${row.smClockMhz}`,
    row.memoryClockMhz !== null && `memory ${row.memoryClockMhz}`,
  ].filter(Boolean);
  const held = row.clocksEventReasons && `held by ${row.clocksEventReasons.join('+') || 'nothing'}`;
  if (clocks.length === 0) return held && `clocks ${held}`;
  return `clocks ${clocks.join(' / ')} MHz${held ? ` ${held}` : ''}`;
}

function eccText(row: GpuRow): string | null {
  const since = [row.eccUncorrectedVolatile, row.eccCorrectedVolatile];
  const life = [row.eccUncorrectedAggregate, row.eccCorrectedAggregate];
  if (!row.eccMode && [...since, ...life].every((number) => number === null)) return null;
  const [uncorrected, corrected] = since.map((number) => number ?? '?');
  const counts = `${uncorrected} uncorrected, ${corrected} corrected since driver load`;
  const mode = row.eccMode ? modeText(row.eccMode) : '?';
  return `ECC ${mode}: ${counts} (board's life: ${life.map((number) => number ?? '?').join(', ')})`;
}

function inBrackets(parts: readonly unknown[]): string {
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

function remapText({ remappedRows: rows }: GpuRow): string | null {
  if (!rows) return null;
  const state = rows.failed ? ', FAILED' : rows.pending ? ', pending' : '';
  return `remapped rows ${rows.correctable} correctable + ${rows.uncorrectable} uncorrectable${state}`;
}

/** `missing: utilization (notSupported)`; reasons that hold for many fields are said once. */
export function missingText(missing: Readonly<Record<string, string>>): string | null {
  const fields = new Map<string, string[]>();
  for (const [field, reason] of Object.entries(missing))
    fields.set(reason, [...(fields.get(reason) ?? []), field]);
  const parts = [...fields].map(([reason, names]) => `${names.join(' ')} (${reason})`);
  return parts.length > 0 ? `missing: ${parts.join(', ')}` : null;
}

export function modeText({ current, pending }: { current: boolean; pending: boolean }): string {
  return current === pending ? onOff(current) : `${onOff(current)}, ${onOff(pending)} after the next reset`;
}

function onOff(value: boolean): string {
  return value ? 'on' : 'off';
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
