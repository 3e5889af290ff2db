import { foldNames } from '../core/names.ts';
import { count, duration, gibibytes } from '../core/words.ts';
import { markLine, sparkline } from './sparkline.ts';
import { columnsAt } from './timeline-columns.ts';
import { isProven, numberOf, worstEvent } from './timeline-events.ts';
import { gravityOf } from './timeline-marks.ts';
import type { GpuTimeline, SeriesAnswer, TimelineEvent } from './timeline-shape.ts';

const troubleWords: Readonly<Record<string, string>> = {
  notThereNow: 'not there now',
  notNamed: 'a GPU that cannot say who it is may be this one',
};

/** What is to be told of a GPU before all else; empty where nothing has happened to it. */
export function troublesOf(gpu: GpuTimeline): string[] {
  const { throttles, crossings, gaps, errors } = gpu;
  const hot = crossings.filter(({ harmless }) => !harmless);
  const odd = gaps.filter(({ why }) => why !== 'agentNotRunning');
  return [
    gpu.trouble && (troubleWords[gpu.trouble] ?? gpu.trouble),
    ...eventTroubles(gpu),
    ...slowdownTroubles(throttles),
    ...hot.sort(worstLast).slice(-1).map(crossingText),
    ...Object.entries(errors).map(([name, increase]) => `${name} +${increase}`),
    odd.length > 0 &&
      `no samples for ${duration(odd.reduce((sum, { lostMs }) => sum + lostMs, 0))} (${[...new Set(odd.map(({ why }) => why))].join(', ')})`,
  ].filter((text) => typeof text === 'string');
}

type Crossing = GpuTimeline['crossings'][number];

function worstLast(a: Crossing, b: Crossing): number {
  return gravityOf(b.what) - gravityOf(a.what) || a.fromMs - b.fromMs;
}

function eventTroubles({ events, omitted }: GpuTimeline): string[] {
  const worst = worstEvent(events);
  if (!worst) return [];
  const others = numberOf(events.filter(isProven)) - worst.count + (omitted['events'] ?? 0);
  const at = worst.count > 1 ? 'last at' : 'at';
  return [`${eventName(worst)} ${at} ${clockText(worst.atMs)}${others > 0 ? ` and ${others} more` : ''}`];
}

function slowdownTroubles(throttles: GpuTimeline['throttles']): string[] {
  const heldMs = new Map<string, number>();
  for (const { reason, heldMs: ms, slowdown } of throttles)
    if (slowdown) heldMs.set(reason, (heldMs.get(reason) ?? 0) + ms);
  return [...heldMs].map(([reason, ms]) => `${reason} for ${duration(ms)}`);
}

/** Many lines: what happened, then each series with its sparkline, then the marks under them, then each list. */
export function fullText(node: string, gpu: GpuTimeline): string {
  const troubles = troublesOf(gpu);
  const what = [gpu.name, gpu.index !== null && gpu.pciAddress && `PCI ${gpu.pciAddress}`]
    .filter(Boolean)
    .join(', ');
  const head = `${placeText(node, gpu)}${what && ` (${what})`}: ${troubles.join('; ') || 'nothing happened'}`;
  if (!gpu.covered) return `${head}. No samples in this time${gapTexts(gpu).join('')}`;
  return [head, coverageText(gpu, gpu.covered), ...graph(gpu), ...listTexts(gpu)]
    .map((line, at) => (at === 0 ? line : `  ${line}`))
    .join('\n');
}

/** One line; a GPU whose index another one has, or may get, is told by its address. */
export function shortText(node: string, gpu: GpuTimeline, twin: boolean): string {
  const told = gpu.index !== null && gpu.pciAddress !== null && (twin || gpu.trouble === 'vanished');
  return `${placeText(node, gpu)}${told ? ` (PCI ${gpu.pciAddress})` : ''}: ${troublesOf(gpu).join('; ')}`;
}

function placeText(node: string, { index, uuid, pciAddress }: GpuTimeline): string {
  return index === null ? `${node} ${uuid ?? `GPU at PCI ${pciAddress}`}` : `${node} GPU ${index}`;
}

function coverageText(
  gpu: GpuTimeline,
  { fromMs, toMs, samples }: NonNullable<GpuTimeline['covered']>,
): string {
  const kept = { bins: ' as means of 5 min', both: ', older ones as means of 5 min' }[gpu.resolution] ?? '';
  const rows = gpu.rows.filter((row) => row !== null);
  const numbers = rows.length > 0 ? `, up to row ${rows.at(-1)}` : '';
  return `${clockText(fromMs, true)} to ${clockText(toMs, true)} (${duration(toMs - fromMs)}), ${count(samples, 'sample')}${kept}${numbers}; one character = ${duration(gpu.columnMs)}; · no samples, T slowed down, X event, * both`;
}

const marks = 'marks';

function graph(gpu: GpuTimeline): string[] {
  const width = Math.max(marks.length, ...gpu.series.map(({ name }) => name.length));
  const over = isOver(gpu);
  const lines = gpu.series.map((series) =>
    isFlat(series)
      ? `${series.name.padEnd(width)} ${valueText(series.last, series.unit)} all the time`
      : `${series.name.padEnd(width)} ${sparkline(series.points, scaleOf(series))} ${seriesText(series, over)}`,
  );
  const axis = { fromMs: gpu.covered?.fromMs ?? 0, columnMs: gpu.columnMs, count: gpu.slowed.length };
  const times = gpu.events.filter(isProven).flatMap(({ atMs }) => atMs ?? []);
  const line = markLine(gpu.slowed, gpu.happened ?? columnsAt(times, axis));
  return line.trim() === '' ? lines : [...lines, `${marks.padEnd(width)} ${line.trimEnd()}`];
}

/** A line without ups, downs and gaps need not be drawn. */
function isFlat({ min, max, points }: SeriesAnswer): boolean {
  return min === max && !points.includes(null);
}

/** Percent from nothing to all; else from the least to the most that was seen, which the text says. */
function scaleOf({ unit, min, max }: SeriesAnswer): { min: number; max: number } {
  return unit === '%' ? { min: 0, max: 100 } : { min, max };
}

/** Samples have ended, or what comes is no value: what was last is not what is now. */
function isOver({ trouble, covered, gaps }: GpuTimeline): boolean {
  const lastMs = covered?.toMs ?? 0;
  return trouble !== null || gaps.some(({ fromMs }) => fromMs >= lastMs);
}

/** @param over of the GPU; a series may end before */
function seriesText(series: SeriesAnswer, over: boolean): string {
  const { unit, min, mean, max, p95, last, change, increase, points, missingNow } = series;
  const ended = over || points.at(-1) === null;
  const value = (number: number) => valueText(number, unit);
  const newest = `${ended ? 'last' : 'now'} ${value(last)}${missingNow ? ` (since then ${missingNow})` : ''}`;
  if (increase !== null) return `+${value(increase)}, ${newest}`;
  const scale = unit === '%' ? ' (drawn from 0 to 100)' : '';
  const trend = change === null ? '' : `, ${trendText(change, series)}${ended ? ' until then' : ''}`;
  return `${value(min)} to ${value(max)}${scale}, mean ${value(mean)}, p95 ${value(p95)}, ${newest}${trend}`;
}

/** Less than a twentieth of the mean is no trend. */
function trendText(change: number, { mean, unit }: SeriesAnswer): string {
  if (Math.abs(change) < Math.abs(mean) / 20 || change === 0) return 'steady';
  return change > 0 ? `rising by ${valueText(change, unit)}` : `falling by ${valueText(-change, unit)}`;
}

function listTexts(gpu: GpuTimeline): string[] {
  const line = (label: string, texts: readonly string[], list: string) =>
    texts.length > 0 ? [`${label}: ${texts.join('; ')}${moreText(gpu, list)}`] : [];
  const missing = Object.entries(gpu.missing).map(([name, why]) => `${name} (${why})`);
  const unchecked = Object.entries(gpu.unchecked).map(([what, why]) => `${what} (${why})`);
  return [
    ...line('events', gpu.events.map(eventText), 'events'),
    ...line('thresholds reached', gpu.crossings.map(crossingText), 'crossings'),
    ...line('clocks held down', gpu.throttles.filter(isLong).map(throttleText), 'throttles'),
    ...line('clocks in all', heldTexts(gpu), ''),
    ...line('gaps', gapTexts(gpu), 'gaps'),
    ...line(
      'the clock was set',
      gpu.clockJumps.map(
        ({ atMs, byMs }) => `by ${byMs > 0 ? '+' : '-'}${duration(Math.abs(byMs))} at ${clockText(atMs)}`,
      ),
      'clockJumps',
    ),
    ...line('missing', missing, ''),
    ...line('thresholds not known', unchecked, ''),
  ];
}

/** Of events the newest and the worst are told, so that the others need not be older. */
function moreText({ omitted }: GpuTimeline, list: string): string {
  const unproven = omitted['userSpaceEvents'];
  if (list === 'events')
    return [
      omitted['events'] && ` … and ${omitted['events']} more`,
      unproven && ` … and ${unproven} more of user space`,
    ]
      .filter(Boolean)
      .join('');
  return omitted[list] ? ` … and ${omitted[list]} older` : '';
}

/** A power cap comes and goes all the time: how much of it there was is said in all. */
function isLong({ slowdown, heldMs }: GpuTimeline['throttles'][number]): boolean {
  return slowdown || heldMs >= 60_000;
}

function heldTexts({ heldMs, covered }: GpuTimeline): string[] {
  const coveredMs = covered?.coveredMs ?? 0;
  const share = (ms: number) => (coveredMs > 0 ? ` (${Math.round((100 * ms) / coveredMs)} %)` : '');
  return Object.entries(heldMs).map(([reason, ms]) => `${reason} ${duration(ms)}${share(ms)}`);
}

function gapTexts({ gaps }: GpuTimeline): string[] {
  return gaps.map(
    ({ fromMs, toMs, lostMs, why }) =>
      `${clockText(fromMs)} ${lostMs < toMs - fromMs - 1 ? `to ${clockText(toMs)}, ${duration(lostMs)} of it` : `for ${duration(lostMs)}`} (${why})`,
  );
}

/** '' where all events are known. */
export function lackText(nodes: readonly string[]): string {
  return nodes.length > 0 ? ` Events on ${foldNames(nodes)} in this time may be missing.` : '';
}

/** Of no GPU that is known: where they happened is told by their PCI address. */
export function nodeEventsText(events: readonly TimelineEvent[], omitted: number): string {
  const texts = events.map((event) => eventText(event) + (event.pciSlot ? ` (PCI ${event.pciSlot})` : ''));
  return `${texts.join('; ')}${omitted > 0 ? ` and ${omitted} more` : ''}`;
}

export function eventText(event: TimelineEvent): string {
  const doubt =
    event.origin === 'userSpace' ? ' (written by a program of user space: it proves nothing)' : '';
  const from = event.count > 1 ? `${clockText(event.firstAtMs)} to ` : '';
  return `${from}${clockText(event.atMs)} ${eventName(event)}${doubt}`;
}

function eventName({ kind, code, name, count: times }: TimelineEvent): string {
  const what = kind === 'xid' ? `Xid ${code} ${name}` : kind === 'sxid' ? `SXid ${code} ${name}` : name;
  return times > 1 ? `${times} × ${what}` : what;
}

function crossingText(crossing: Crossing): string {
  const { fromMs, toMs, what, series, threshold, peak, unit, exact } = crossing;
  const within = exact ? 'for' : 'at times within';
  const farthest =
    peak === threshold ? '' : `, ${peak > threshold ? 'up' : 'down'} to ${valueText(peak, unit)}`;
  return `${series} reached ${what} of ${valueText(threshold, unit)}${farthest}, at ${clockText(fromMs)} ${within} ${duration(toMs - fromMs)}`;
}

function throttleText({ reason, fromMs, toMs, heldMs }: GpuTimeline['throttles'][number]): string {
  const lengthMs = toMs - fromMs;
  const part = heldMs < 0.95 * lengthMs ? `, ${duration(heldMs)} of it` : '';
  return `${reason} at ${clockText(fromMs)} for ${duration(lengthMs)}${part}`;
}

/** `10:12:30Z`, with the day where that may not be clear; `?` for what is no time. */
export function clockText(atMs: number | null, withDay = false): string {
  const date = new Date(atMs ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return '?';
  const text = date.toISOString();
  return withDay ? `${text.slice(0, 19)}Z` : `${text.slice(11, 19)}Z`;
}

export function valueText(value: number, unit: string): string {
  if (unit === 'B') return gibibytes(value);
  if (unit === 'B/s')
    return value >= 1e9
      ? `${Number((value / 1e9).toFixed(1))} GB/s`
      : `${Number((value / 1e6).toFixed(1))} MB/s`;
  return `${Number(value.toFixed(1))} ${unit}`;
}
