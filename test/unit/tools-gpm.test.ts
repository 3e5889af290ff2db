import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import { type GpmActivity, type GpmReport, gpmMetricNames } from '../../src/core/gpm.ts';
import type { Reading } from '../../src/core/reading.ts';
import type { Answers } from '../../src/core/snapshot.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { metrics } from '../../src/tools/metrics.ts';
import { present } from '../../src/tools/present.ts';
import { contextOf } from '../support/answers.ts';
import { gpu, nowMs, snapshot } from '../support/gpus.ts';

function activity(percents: Partial<Record<string, number>>): Reading<GpmActivity> {
  const readings = gpmMetricNames.map((name) => {
    const percent = percents[name];
    return [name, percent === undefined ? { missing: 'notSupported' } : { value: percent }];
  });
  return { value: { windowMs: 250, metrics: Object.fromEntries(readings) } };
}

const busy = activity({
  smPercent: 84.04,
  smOccupancyPercent: 31.5,
  tensorPercent: 47,
  dramBandwidthPercent: 42,
});

function told(...reports: readonly Reading<GpmReport>[]): Answers['gpm'] {
  return new Map(reports.map((answer, index) => [index, { readAtMs: nowMs - 30, answer }]));
}

function nodeValue(gpm: Answers['gpm'], given: object) {
  const context = { ...contextOf(snapshot([gpu(0), gpu(1)])), gpm };
  const answer = metrics.answer(parseArguments(metrics.input, given), context);
  return metrics.output.parse(JSON.parse(JSON.stringify(answer)));
}

function ask(nodes: Readonly<Record<string, ReturnType<typeof nodeValue>>>, given: object): string[] {
  const answers = Object.entries(nodes).map(([node, value]) => ({ node, value }));
  return present(metrics, parseArguments(fleetInput(metrics), given), answers).text.split('\n');
}

const notSupported = { missing: 'notSupported' } as const;

test('what the units of a GPU do is told with the window, and what of it is missing with the reason', () => {
  const gpm = told({ value: { whole: busy, instances: [] } }, notSupported);

  const rows = ask({ a: nodeValue(gpm, { gpm: true }) }, { gpm: true });

  expect(rows).toContain(
    'a GPU 0 GPM: SM active 84 %, SM occupancy 31.5 %, tensor 47 %, DRAM bandwidth 42 % over 250 ms, 30 ms ago; ' +
      'missing: graphicsPercent (notSupported), integerPercent (notSupported), tensorFp64Percent (notSupported), ' +
      'tensorFp16Percent (notSupported), tensorIntegerPercent (notSupported), fp64Percent (notSupported), ' +
      'fp32Percent (notSupported), fp16Percent (notSupported)',
  );
  expect(rows).toContain(
    'GPM: a: not told by 1 GPU (notSupported: this board or driver has none; Hopper and newer can have it)',
  );
});

test('MIG GPU instances are told although the whole GPU is not', () => {
  const instances = [
    { gpuInstanceId: 1, activity: busy },
    { gpuInstanceId: 2, activity: { missing: 'noPermission' } as const },
  ];
  const gpm = told({ value: { whole: notSupported, instances } }, notSupported);

  const row = ask({ a: nodeValue(gpm, { gpm: true }) }, { gpm: true }).find((line) =>
    line.startsWith('a GPU 0 GPM'),
  );

  expect(row).toMatch(
    /GPM: missing: gpm \(notSupported\); GPU instance 1: SM active 84 %, .* over 250 ms; missing/,
  );
  expect(row).toMatch(/; GPU instance 2: missing: gpm \(noPermission\)$/);
});

test('GPUs that do not tell are counted once for each reason, also those of an agent that has never heard of it', () => {
  const notYet = nodeValue(new Map(), { gpm: true });
  const old = nodeValue(new Map(), {});
  const none = nodeValue(told(notSupported, notSupported), { gpm: true });

  expect(ask({ 'gpu-1': none, 'gpu-2': none, 'gpu-3': notYet, 'gpu-4': old }, { gpm: true })).toEqual(
    expect.arrayContaining([
      'GPM: gpu-[1-2]: not told by 4 GPUs (notSupported: this board or driver has none; Hopper and newer can have it)',
      'GPM: gpu-3: not told by 2 GPUs (notReady)',
      "GPM: gpu-4: not told by 2 GPUs (its agent is older than GPM in this tool: upgrade the chart's release)",
    ]),
  );
});

test('who does not ask for it is not told of it', () => {
  const value = nodeValue(told({ value: { whole: busy, instances: [] } }), {});

  expect(value.gpm).toBeUndefined();
  expect(ask({ a: value }, {}).join('\n')).not.toContain('GPM');
});

test('a GPU instance without values says why, and which MIG devices are in it', () => {
  const told8 = { gpuInstanceId: 8, activity: activity({}) };
  const report = { value: { whole: busy, instances: [told8] } };
  const device = { index: 0, uuid: { value: 'MIG-8' }, gpuInstanceId: { value: 8 } };
  const other = { index: 1, uuid: { value: 'MIG-9' }, gpuInstanceId: { value: 9 } };
  const missing = { missing: 'noData' } as const;
  const rest = { name: missing, computeInstanceId: missing, memory: missing, slices: missing };
  const migDevices = [device, other].map((each) => ({ ...each, ...rest }));

  const context = { ...contextOf(snapshot([gpu(0, { migDevices })])), gpm: told(report) };
  const answer = metrics.answer(parseArguments(metrics.input, { gpm: true }), context);
  const value = metrics.output.parse(JSON.parse(JSON.stringify(answer)));

  expect(ask({ a: value }, { gpm: true }).join()).toContain(
    '; GPU instance 8 MIG-8: no values over 250 ms: notSupported',
  );
});
