import { duration, gibibytes } from '../core/words.ts';
import { lateText } from '../diagnose/judge.ts';
import { readText } from './age-text.ts';
import type { pcieShape } from './gpu-shape.ts';
import type { GpuRow } from './inventory-row.ts';
import { migText } from './mig-text.ts';
import { missingText } from './missing-text.ts';

const troubles: Readonly<Record<string, string>> = {
  lost: 'LOST: off the bus',
  hung: 'HUNG: a driver call on it does not return',
  vanished: 'VANISHED: the driver no longer offers it',
};

/** `LOST: off the bus, for 3 min`; null for a GPU that is there. */
export function troubleText({ trouble }: Pick<GpuRow, 'trouble'>): string | null {
  if (!trouble) return null;
  const { kind, forMs, againInMs } = trouble;
  if (againInMs !== undefined) return `HUNG: ${lateText(againInMs)}, for ${duration(forMs)}`;
  return `${troubles[kind] ?? kind}, for ${duration(forMs)}`;
}

/** One line with every value of an inventory; what is missing comes last, with the reason. */
export function gpuText(row: GpuRow): string {
  const parts = [
    troubleText(row),
    row.name,
    row.uuid,
    after('serial', row.serial),
    pciText(row),
    row.minorNumber === null ? null : `/dev/nvidia${row.minorNumber}`,
    ...boardTexts(row),
    memoryText(row),
    utilizationText(row),
    temperatureText(row),
    powerText(row),
    energyText(row),
    clocksText(row),
    row.performanceState === null ? null : `P${row.performanceState}`,
    eccText(row),
    remapText(row),
    row.retiredPagesPending !== null && `retired pages pending: ${yesNo(row.retiredPagesPending)}`,
    after('recovery action', row.recoveryAction),
    ...modeTexts(row),
    readText(row),
    missingText(row.missing),
  ];
  return parts.filter(Boolean).join(', ');
}

function modeTexts(row: GpuRow): (string | null)[] {
  return [
    row.migMode && `MIG ${modeText(row.migMode)}`,
    row.migDevices?.length ? migText(row.migDevices) : null,
    after('compute mode', row.computeMode),
    after('virtualization', row.virtualizationMode),
    row.fabric && fabricText(row.fabric),
    row.persistenceMode === null ? null : `persistence ${onOff(row.persistenceMode)}`,
  ];
}

function pciText(row: GpuRow): string | null {
  const { pciAddress } = row;
  const parts = pcieLinkTexts(row).filter(Boolean);
  if (pciAddress === null && parts.length === 0) return null;
  return `PCI ${pciAddress ?? '?'}${inBrackets(parts)}`;
}

/** `gen 4 of 5`, `16 of 16 lanes`. */
export function pcieTexts(row: Pick<GpuRow, keyof typeof pcieShape>): (string | false)[] {
  const { pcieGeneration, maxPcieGeneration, pcieWidth, maxPcieWidth } = row;
  return [
    (pcieGeneration !== null || maxPcieGeneration !== null) &&
      `gen ${pcieGeneration ?? '?'} of ${maxPcieGeneration ?? '?'}`,
    (pcieWidth !== null || maxPcieWidth !== null) && `${pcieWidth ?? '?'} of ${maxPcieWidth ?? '?'} lanes`,
  ];
}

/** The same, and `replays 3`. */
export function pcieLinkTexts(row: Pick<GpuRow, keyof typeof pcieShape | 'pcieReplays'>): (string | false)[] {
  return [...pcieTexts(row), row.pcieReplays !== null && `replays ${row.pcieReplays}`];
}

function boardTexts(row: GpuRow): (string | null)[] {
  return [
    after('brand', row.brand),
    row.architecture,
    after('compute capability', row.computeCapability),
    after('part', row.boardPartNumber),
    after('module', row.moduleId),
    row.platform && platformText(row.platform),
    after('VBIOS', row.vbiosVersion),
    after('InfoROM', inforomText(row)),
    after('GSP firmware', row.gspFirmwareVersion),
    after('memory is NUMA node', row.numaNode),
    row.numaAffinity && `near NUMA node ${row.numaAffinity.join('+') || 'none'}`,
    after('near CPUs', row.cpuAffinity),
  ];
}

function inforomText(row: GpuRow): string | null {
  const parts = [
    after('image', row.inforomImageVersion),
    after('OEM', row.inforomOemVersion),
    after('ECC', row.inforomEccVersion),
    after('power', row.inforomPowerVersion),
    row.inforomValid !== null && (row.inforomValid ? 'valid' : 'CORRUPTED'),
  ];
  return parts.filter(Boolean).join(' ') || null;
}

/** `VBIOS 96.00`; null where there is nothing to say. */
export function after(label: string, value: string | number | null): string | null {
  return value === null ? null : `${label} ${value}`;
}

function platformText(platform: NonNullable<GpuRow['platform']>): string {
  const { chassisSerialNumber, slotNumber, trayIndex, hostId, moduleId, peerType, ibGuid } = platform;
  const place = `chassis ${chassisSerialNumber} slot ${slotNumber} tray ${trayIndex} host ${hostId} module ${moduleId}`;
  return `${place} (peers by ${peerType}, IB GUID ${ibGuid})`;
}

export function fabricText({
  state,
  status,
  cliqueId,
  clusterUuid,
  faults,
}: NonNullable<GpuRow['fabric']>): string {
  const failed = state === 'completed' && status !== 0;
  const health = faults?.join('+') || (faults === null || failed ? 'health not told' : 'healthy');
  return `NVLink fabric ${state}${failed ? `, FAILED with code ${status}` : ''}, ${health} (clique ${cliqueId} of ${clusterUuid})`;
}

export function memoryText({ memory }: Pick<GpuRow, 'memory'>): string | null {
  if (!memory) return null;
  const { usedBytes, totalBytes, reservedBytes, freeBytes, usedIncludesReserved } = memory;
  const reserved = usedIncludesReserved ? 'with what is reserved' : `+ ${gibibytes(reservedBytes)} reserved`;
  return `${gibibytes(usedBytes)} of ${gibibytes(totalBytes)} used (${reserved}, ${gibibytes(freeBytes)} free)`;
}

export function utilizationText({
  utilization,
  encoderPercent,
  decoderPercent,
}: Pick<GpuRow, 'utilization' | 'encoderPercent' | 'decoderPercent'>): string | null {
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

export function energyText({ energyJoules }: Pick<GpuRow, 'energyJoules'>): string | null {
  return energyJoules === null ? null : `${Math.round(energyJoules)} J since driver load`;
}

function clocksText(row: GpuRow): string | null {
  const clocks = [
    row.graphicsClockMhz !== null && `graphics ${row.graphicsClockMhz}`,
    row.smClockMhz !== null && `SM ${row.smClockMhz}`,
    row.memoryClockMhz !== null && `memory ${row.memoryClockMhz}`,
  ].filter(Boolean);
  const held = clocksHeldText(row);
  if (clocks.length === 0) return held && `clocks ${held}`;
  return `clocks ${clocks.join(' / ')} MHz${held ? ` ${held}` : ''}`;
}

export function clocksHeldText({ clocksEventReasons }: Pick<GpuRow, 'clocksEventReasons'>): string | null {
  return clocksEventReasons && `held by ${clocksEventReasons.join('+') || 'nothing'}`;
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

export function inBrackets(parts: readonly unknown[]): string {
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

function remapText({ remappedRows: rows }: GpuRow): string | null {
  if (!rows) return null;
  const state = rows.failed ? ', FAILED' : rows.pending ? ', pending' : '';
  return `remapped rows ${rows.correctable} correctable + ${rows.uncorrectable} uncorrectable${state}`;
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
