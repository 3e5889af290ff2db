import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { XidBook } from '../../src/server/events/xid-book.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { contextOf } from '../support/answers.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

/** Everything on. */
const text = await agentMetrics(() => contextOf(snapshot([gpu(0)])), {
  node: 'gpu-7',
  readings: true,
  xids: () => new XidBook(),
  holders: () => () => undefined,
}).text();

/** What stands between backticks. */
function names(markdown: string): string[] {
  return [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name);
}

test('README names every metric of the agent itself, and none that does not exist', () => {
  const printed = [...text.matchAll(/^# TYPE (k8s_gpu_mcp_\w+) /gm)].map(([, name]) => name);

  const told = names(readme)
    .map((name) => name.replace(/^…_/, 'k8s_gpu_mcp_')) // as README shortens it
    .filter((name) => name.startsWith('k8s_gpu_mcp_'));

  expect([...new Set(told)].sort()).toEqual(printed.sort());
});

test('README tells of every metric of a GPU whether it is here', () => {
  const printed = new Set([...text.matchAll(/^(DCGM_FI_\w+)\{/gm)].map(([, name = '']) => name));
  const [, table = ''] = /\| dcgm-exporter's default list \| here \|\n.*\n((?:\|.*\n)+)/.exec(readme) ?? [];

  const told = table
    .trim()
    .split('\n')
    .map((row) => row.split('|'))
    .flatMap(([, metrics = '', here = '']) =>
      names(metrics)
        .filter((name) => /^[A-Z]/.test(name) && name !== 'DCGM_FI_DEV_')
        .map((name) => ({
          name: name.startsWith('DCGM_') ? name : `DCGM_FI_DEV_${name}`,
          here: here.trim(),
        })),
    );
  const here = told.filter(({ here: words }) => !/^(no:|as a label)/.test(words)).map(({ name }) => name);

  expect(here.sort()).toEqual([...printed].sort());
  expect(told.filter(({ here: words }) => words === 'as a label').map(({ name }) => name)).toEqual([
    ...new Set(text.match(/\bDCGM_FI_\w+(?==")/g)),
  ]);
});
