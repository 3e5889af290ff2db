import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const chart = join(import.meta.dirname, '../chart');

/** The chart's README with its table of values made anew from `values.yaml`: the comment above a key explains it. */
export function chartReadme(readme: string, values: string): string {
  const [before = '', rest = ''] = readme.split(/(?<=<!-- values:.*-->\n)/);
  const after = rest.slice(rest.indexOf('<!-- /values -->'));
  return `${before}${table(values)}\n${after}`;
}

function table(values: string): string {
  const cells = rows(values).map(({ name, content, comment }) => {
    const shown = content === '' ? 'see values.yaml' : `\`${content}\``;
    return `| \`${name}\` | ${shown} | ${comment.replaceAll('|', '\\|')} |`;
  });
  return ['| value | default | |', '| --- | --- | --- |', ...cells].join('\n');
}

interface Row {
  readonly name: string;
  /** As it is written behind the key; empty where it fills lines of its own. */
  readonly content: string;
  readonly comment: string;
}

/** Keys that have a value on their line, or a comment of their own: what is below the latter belongs to them. */
function rows(values: string): Row[] {
  const found: Row[] = [];
  const parents: string[] = [];
  let open = Number.POSITIVE_INFINITY;
  for (const { depth, key, content, comment } of keys(values)) {
    if (depth > open) continue;
    parents.splice(depth, parents.length, key);
    const isRow = content !== '' || comment !== '';
    if (isRow) found.push({ name: parents.join('.'), content, comment });
    open = isRow ? depth : Number.POSITIVE_INFINITY;
  }
  return found;
}

function keys(values: string) {
  const keyWithComment = /^(?: *# -- (?<comment>.*)\n)?(?<indent> *)(?<key>\w+):(?: +(?<content>.*))?$/gm;
  return [...values.matchAll(keyWithComment)].map(({ groups = {} }) => {
    const { indent = '', key = '', content = '', comment = '' } = groups;
    return { depth: indent.length / 2, key, content, comment };
  });
}

if (import.meta.main) {
  const path = join(chart, 'README.md');
  writeFileSync(
    path,
    chartReadme(readFileSync(path, 'utf8'), readFileSync(join(chart, 'values.yaml'), 'utf8')),
  );
}
