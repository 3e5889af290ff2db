import type { z } from 'zod';

import type { Rates } from '../core/rates.ts';
import type { Reading } from '../core/reading.ts';
import { duration, gibibytes } from '../core/words.ts';
import { readText } from './age-text.ts';
import { gpuRowOf } from './gpu-row.ts';
import {
  errorShape,
  laterNumber,
  loadShape,
  modeShape,
  nameShape,
  pcieShape,
  powerShape,
  throttleShape,
  trafficShape,
} from './gpu-shape.ts';
import {
  after,
  clocksHeldText,
  energyText,
  inBrackets,
  memoryText,
  modeText,
  pcieLinkTexts,
  troubleText,
  utilizationText,
} from './gpu-text.ts';
import { heatText } from './heat-text.ts';
import { migText } from './mig-text.ts';
import { missingText } from './missing-text.ts';

const { migMode, migDevices } = modeShape;
const { pcieReplays } = errorShape;

/** What a GPU is doing, with the rates of what the driver only counts. */
export const metricsRow = gpuRowOf(
  {
    ...nameShape,
    ...loadShape,
    ...pcieShape,
    pcieReplays,
    ...trafficShape,
    ...powerShape,
    ...throttleShape,
    migMode,
    migDevices,
  },
  {
    shape: {
      pcieTxBytesPerSecond: laterNumber,
      pcieRxBytesPerSecond: laterNumber,
      nvlinkTxBytesPerSecond: laterNumber,
      nvlinkRxBytesPerSecond: laterNumber,
    },
    of: ({ rates }): { readonly [Name in keyof Rates]: Reading<number> } => rates ?? noRates,
  },
);
export type MetricsRow = z.output<typeof metricsRow.schema>;

const notReady = { missing: 'notReady' } as const;
const noRates: Rates = {
  pcieTxBytesPerSecond: notReady,
  pcieRxBytesPerSecond: notReady,
  nvlinkTxBytesPerSecond: notReady,
  nvlinkRxBytesPerSecond: notReady,
};

/** One line with every value; what is missing comes last, with the reason. */
export function metricsText(row: MetricsRow): string {
  const parts = [
    troubleText(row),
    row.name,
    row.uuid,
    row.pciAddress && `PCI ${row.pciAddress}`,
    ...loadTexts(row),
    heatText(row),
    fansText(row),
    drawText(row),
    energyText(row),
    clocksText(row),
    heldDownText(row),
    trafficText('PCIe', pcieLinkTexts(row), traffic(row, 'pcie')),
    trafficText('NVLink', [], traffic(row, 'nvlink')),
    readText(row),
    missingText(row.missing),
  ];
  return parts.filter(Boolean).join(', ');
}

function loadTexts(row: MetricsRow): (string | null)[] {
  const { jpegPercent, ofaPercent, bar1Memory: bar1 } = row;
  return [
    utilizationText(row),
    jpegPercent === null ? null : `JPEG ${jpegPercent} %`,
    ofaPercent === null ? null : `OFA ${ofaPercent} %`,
    memoryText(row),
    bar1 && `BAR1 ${gibibytes(bar1.usedBytes)} of ${gibibytes(bar1.totalBytes)}`,
    row.migMode && `MIG ${modeText(row.migMode)}`,
    row.migDevices?.length ? migText(row.migDevices) : null,
  ];
}

function fansText({ fanPercents }: MetricsRow): string | null {
  return fanPercents?.length ? `fans ${fanPercents.map((percent) => `${percent} %`).join(', ')}` : null;
}

function drawText(row: MetricsRow): string | null {
  const { powerWatts, powerLimitWatts, powerLimitRange: range } = row;
  const others = [
    after('instant', row.instantPowerWatts),
    after('1-s average', row.averagePowerWatts),
    after('module', row.modulePowerWatts),
    after('default', row.defaultPowerLimitWatts),
    range && `settable ${range.minWatts} to ${range.maxWatts}`,
  ].filter((text) => text !== null);
  if (powerWatts === null && powerLimitWatts === null && others.length === 0) return null;
  return `${powerWatts ?? '?'} of ${powerLimitWatts ?? '?'} W${inBrackets(others)}`;
}

function clocksText(row: MetricsRow): string | null {
  const clocks = [
    clock('graphics', row.graphicsClockMhz, row.maxGraphicsClockMhz),
    clock('SM', row.smClockMhz, row.maxSmClockMhz),
    clock('memory', row.memoryClockMhz, row.maxMemoryClockMhz),
    clock('video', row.videoClockMhz, row.maxVideoClockMhz),
  ].filter((text) => text !== null);
  const parts = [
    clocks.length > 0 ? `clocks ${clocks.join(' / ')} MHz` : null,
    row.performanceState === null ? null : `P${row.performanceState}`,
    clocksHeldText(row),
  ];
  return parts.filter((text) => text !== null).join(' ') || null;
}

function clock(name: string, now: number | null, max: number | null): string | null {
  if (now === null && max === null) return null;
  return `${name} ${now ?? '?'}${max === null ? '' : ` of ${max}`}`;
}

const heldDownBy = {
  powerViolationSeconds: 'power limit',
  thermalViolationSeconds: 'heat',
  swThermalSlowdownSeconds: 'software thermal slowdown',
  hwThermalSlowdownSeconds: 'hardware thermal slowdown',
  hwPowerBrakeSlowdownSeconds: 'power brake',
  syncBoostViolationSeconds: 'sync boost',
  boardLimitViolationSeconds: 'board limit',
  reliabilityViolationSeconds: 'reliability',
  lowUtilizationViolationSeconds: 'low utilisation',
  appClocksViolationSeconds: 'below application clocks',
  baseClocksViolationSeconds: 'below base clocks',
} as const satisfies Record<keyof typeof throttleShape, string>;

function isFailure(missing: string | undefined): boolean {
  return missing !== undefined && !missing.startsWith('notSupported');
}

/** Those that are 0 are said together. */
function heldDownText(row: MetricsRow): string | null {
  const told = Object.entries(heldDownBy).flatMap(([name, words]) => {
    const seconds = row[name as keyof typeof heldDownBy];
    return seconds === null ? [] : [{ words, seconds }];
  });
  if (told.length === 0) return null;
  const some = told.filter(({ seconds }) => seconds > 0);
  const each = some.map(({ words, seconds }) => `${words} ${duration(seconds * 1000)}`);
  const never = some.length === 0 ? 'never' : 'else never';
  const failed = Object.keys(heldDownBy).filter((name) => isFailure(row.missing[name])).length;
  const others =
    some.length < told.length && `${never}${failed > 0 ? `, as far as read (${failed} not)` : ''}`;
  return `held down since driver load: ${[...each, others].filter(Boolean).join(', ')}`;
}

interface Traffic {
  readonly rates: readonly [number | null, number | null];
  readonly counts: readonly [number | null, number | null];
}

function traffic(row: MetricsRow, road: 'pcie' | 'nvlink'): Traffic {
  return {
    rates: [row[`${road}TxBytesPerSecond`], row[`${road}RxBytesPerSecond`]],
    counts: [row[`${road}TxBytes`], row[`${road}RxBytes`]],
  };
}

/** `PCIe gen 5 of 5, 16 of 16 lanes, 1.2 GB/s out, 3.4 GB/s in (counters 12 GB, 34 GB)`. */
function trafficText(
  name: string,
  link: readonly (string | false)[],
  { rates, counts }: Traffic,
): string | null {
  const [out, into] = rates.map((rate) => (rate === null ? null : `${gigabytes(rate)}/s`));
  const counters = counts.map((count) => (count === null ? '?' : gigabytes(count)));
  const parts = [
    ...link,
    out && `${out} out`,
    into && `${into} in`,
    counts.some((count) => count !== null) && `counters ${counters.join(' out, ')} in`,
  ].filter(Boolean);
  return parts.length > 0 ? `${name} ${parts.join(', ')}` : null;
}

/** Decimal, as vendors state bandwidths. */
function gigabytes(bytes: number): string {
  if (bytes >= 1e9) return `${Number((bytes / 1e9).toFixed(1))} GB`;
  return bytes >= 1e6 || bytes === 0
    ? `${Number((bytes / 1e6).toFixed(1))} MB`
    : `${(bytes / 1e3).toFixed(0)} kB`;
}
