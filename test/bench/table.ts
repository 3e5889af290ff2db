import { markdownTable } from 'markdown-table';

import { type Bound, type Figure, median, meets } from './bench.ts';

const head = ['what', 'median', 'min – max (runs)', 'unit', 'bound', ''];

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    shown(median(figure.runs)),
    `${shown(Math.min(...figure.runs))} – ${shown(Math.max(...figure.runs))} (${figure.runs.length})`,
    figure.unit,
    boundShown(figure.bound),
    { true: 'met', false: 'MISSED', undefined: '' }[`${meets(figure)}`] ?? '',
  ]);
  return markdownTable([head, ...rows], { align: ['l', 'r', 'r', 'l', 'r', 'l'] });
}

/** Three digits that count: more would be noise. */
function shown(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 3 });
}

function boundShown(bound: Bound | undefined): string {
  if (bound === undefined) return '';
  return 'atMost' in bound ? `≤ ${shown(bound.atMost)}` : `≥ ${shown(bound.atLeast)}`;
}
