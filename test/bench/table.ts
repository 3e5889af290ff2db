import { markdownTable } from 'markdown-table';

import { type Bound, type Figure, median, meets } from './bench.ts';

const head = ['what', 'median', 'min – max (runs)', 'unit', 'bound', ''];

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    shown(median(figure.runs), figure.unit),
    `${shown(Math.min(...figure.runs), figure.unit)} – ${shown(Math.max(...figure.runs), figure.unit)} (${figure.runs.length})`,
    figure.unit,
    boundShown(figure.bound),
    { true: 'met', false: 'MISSED', undefined: '' }[`${meets(figure)}`] ?? '',
  ]);
  return markdownTable([head, ...rows], { align: ['l', 'r', 'r', 'l', 'r', 'l'] });
}

/** Three digits that count: more would be noise, but in a share of successes. */
function shown(value: number, unit?: Figure['unit']): string {
  return Number(value.toPrecision(unit === '%' ? 5 : 3)).toLocaleString('en', { maximumFractionDigits: 3 });
}

function boundShown(bound: Bound | undefined): string {
  if (bound === undefined) return '';
  if ('above' in bound) return `> ${shown(bound.above)}`;
  return 'atMost' in bound ? `≤ ${shown(bound.atMost)}` : `≥ ${shown(bound.atLeast)}`;
}
