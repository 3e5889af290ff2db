import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';

import { chart, render, valuesOf } from '../support/chart.ts';
import { ensureHelm, whyNotHere } from '../support/cluster/programs.ts';
import { debianProgram, whyNoProgram } from '../support/debian.ts';

const promtool = () => debianProgram('usr/bin/promtool', ['prometheus']);
const skipped = whyNotHere() ?? whyNoProgram(promtool);
const rulesPath = join(chart, 'rules/alerts.yaml');
const testsPath = join(chart, 'tests/alerts.yaml');

interface Rules {
  readonly groups: readonly [{ readonly rules: readonly { alert: string; expr: string }[] }];
}

const rules: Rules = parse(readFileSync(rulesPath, 'utf8'));
const alerts = rules.groups[0].rules.map(({ alert }) => alert);

describe.skipIf(skipped)(`the alerts ${skipped ?? ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-alerts-'));

  beforeAll(ensureHelm);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const check = async (...args: string[]) => {
    const { command, env } = promtool();
    const { stdout } = await promisify(execFile)(command, args, { env });
    return stdout;
  };

  test('they are valid, and each is raised when it should be and not before', async () => {
    expect(await check('check', 'rules', rulesPath)).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(await check('test', 'rules', testsPath)).toContain('SUCCESS');
  });

  test.for(alerts)('%s: the tests notice when it is never raised', async (alert) => {
    const own = join(folder, alert);
    const silenced = rules.groups[0].rules.map((rule) =>
      rule.alert === alert ? { ...rule, expr: 'vector(0) > 1' } : rule,
    );
    for (const name of ['rules', 'tests']) mkdirSync(join(own, name), { recursive: true });
    writeFileSync(
      join(own, 'rules/alerts.yaml'),
      stringify({ groups: [{ name: 'silenced', rules: silenced }] }),
    );
    writeFileSync(join(own, 'tests/alerts.yaml'), readFileSync(testsPath));

    await expect(check('test', 'rules', join(own, 'tests/alerts.yaml'))).rejects.toThrow(alert);
  });

  test('the chart renders just these', async () => {
    const rendered = (await render(...valuesOf('monitoring'))).find(({ kind }) => kind === 'PrometheusRule');

    expect(rendered?.['spec']).toEqual(rules);
  });

  test('what they look at by the name of the job is what the PodMonitor calls it', async () => {
    const monitor = (await render(...valuesOf('monitoring'))).find(({ kind }) => kind === 'PodMonitor');

    const job = { action: 'replace', targetLabel: 'job', replacement: 'k8s-gpu-mcp' };
    expect(monitor).toMatchObject({
      metadata: { labels: { release: 'prometheus' } },
      spec: { podMetricsEndpoints: [{ port: 'health', relabelings: expect.arrayContaining([job]) }] },
    });
    expect(new Set(JSON.stringify(rules).match(/job=\\"[^"]*"/g))).toEqual(
      new Set(['job=\\"k8s-gpu-mcp\\"']),
    );
  });
});
