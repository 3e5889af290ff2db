import { describe, expect, test } from 'vitest';

import { orNull } from '../../src/core/reading.ts';
import type { DriverState, GpuState } from '../../src/core/snapshot.ts';
import { health } from '../../src/tools/health.ts';
import { ask, lines } from '../support/answers.ts';
import { driverOk, gpu, nowMs, snapshot, unreadableGpu } from '../support/gpus.ts';

const hanging: DriverState = { state: 'notResponding', info: null, sinceMs: nowMs - 60_000 };

test('the worst comes first, the healthy are counted and named together', () => {
  const fleet = {
    'gpu-1': snapshot([gpu(0), gpu(1)]),
    'gpu-2': snapshot([gpu(0, { temperatureC: 85 }), gpu(1, { eccUncorrectedVolatile: 3 })]),
    'gpu-3': snapshot([gpu(0), gpu(1, {}, { trouble: 'lost' })]),
    'gpu-4': snapshot([gpu(0), gpu(1)]),
  };

  expect(lines(health, fleet)).toEqual([
    '8 GPUs on 4 nodes: 1 failed, 1 degraded, 1 watch, 5 ok. Readings at most 1 s old; those taken once a minute at most 31 s.',
    'failed: gpu-3 GPU 1 (NVIDIA H100 80GB HBM3, PCI 0000:11:00.0, read 1 s ago): it is off the bus, for 3 min. Action rebootNode: drain the node and reboot it',
    'degraded: gpu-2 GPU 1 (NVIDIA H100 80GB HBM3, PCI 0000:11:00.0, read 1 s ago): 3 uncorrectable ECC errors since the driver was loaded. Action resetGpu: drain its pods and pause its agent (kubectl label node NODE k8s-gpu-mcp/paused=true), then nvidia-smi --gpu-reset; if that is refused, reboot the node',
    'watch: gpu-2 GPU 0 (NVIDIA H100 80GB HBM3, PCI 0000:0a:00.0, read 1 s ago): 85 °C, within 5 °C of its slowdown threshold of 89 °C',
    'ok: gpu-[1,4] each (2 nodes): 2 × NVIDIA H100 80GB HBM3',
    'ok: gpu-3: 1 × NVIDIA H100 80GB HBM3',
  ]);
});

test('detail=full lists every GPU with its evidence and what could not be checked', () => {
  const b200 = gpu(0, {
    slowdownTemperatureC: { missing: 'notSupported' },
    shutdownTemperatureC: { missing: 'notSupported' },
    slowdownMarginC: { missing: 'noPermission' },
    shutdownMarginC: { missing: 'noPermission' },
    recoveryAction: 'gpuReset',
  });

  const text = lines(health, { a: snapshot([b200, gpu(1)]) }, { detail: 'full' });

  expect(text).toHaveLength(3);
  expect(text[1]).toContain("Driver's own recovery action: gpuReset");
  expect(text[1]).toContain('Evidence: recoveryAction=gpuReset against none [nvmlDeviceGetFieldValues]');
  expect(text[1]).toContain(
    'Not checked: shutdown temperature: notSupported, slowdown temperature: notSupported, shutdown margin: noPermission, slowdown margin: noPermission',
  );
  expect(text[2]).toMatch(
    /^ok: a GPU 1 \(NVIDIA H100.*GPU-00000000-0000-0000-0000-000000000001.*\): nothing found/,
  );
});

test('healthy GPUs of which not the same was checked are not one group', () => {
  const blind = gpu(0, { recoveryAction: { missing: 'notSupportedByDriver' } });

  const text = lines(health, { a: snapshot([gpu(0)]), b: snapshot([blind]) });

  expect(text.slice(1)).toEqual([
    'ok: a: 1 × NVIDIA H100 80GB HBM3',
    "ok as far as checked: b: 1 × NVIDIA H100 80GB HBM3 (not checked: the driver's recovery action: notSupportedByDriver)",
  ]);
});

describe('a GPU that is not there, or cannot be read, is always listed and never ok', () => {
  test.for([
    ['lost', snapshot([gpu(0, {}, { trouble: 'lost' })])],
    ['hung', snapshot([gpu(0, {}, { trouble: 'hung' })])],
    ['vanished', snapshot([gpu(0, {}, { trouble: 'vanished' })])],
    ['unreadable', snapshot([unreadableGpu(0, 'nvmlReturn999')])],
    ['without permission', snapshot([unreadableGpu(0, 'noPermission')])],
    ['never read', snapshot([unreadableGpu(0, 'notReady', {}, { readAtMs: null })])],
    ['under a driver that hangs', snapshot([gpu(0)], hanging)],
  ] as const)('%s', ([, one]) => {
    for (const detail of ['summary', 'full']) {
      const { text, structured } = ask(health, { a: one, b: snapshot([gpu(0)]) }, { detail });

      expect(text).toMatch(/^(failed|unknown): a GPU 0 /m);
      expect(text).not.toMatch(/^ok: a\b/m);
      expect(structured['verdicts']).toMatchObject({ ok: 1 });
    }
  });
});

test('a node whose driver shows no GPU is unknown, by name, and not left out', () => {
  const fleet = { a: snapshot([gpu(0)]), b: snapshot([]), c: snapshot([]) };

  for (const detail of ['summary', 'full'])
    expect(lines(health, fleet, { detail })[1]).toBe(
      'unknown: b-c: the driver offers no GPU'.replace('b-c', 'b,c'),
    );
});

test('a node without a driver is named first, with what to do, and counted', () => {
  const away: DriverState = {
    state: 'unavailable',
    code: 'DRIVER_NOT_LOADED',
    message: 'nvmlInit_v2 returned 9',
    hint: 'Run nvidia-smi on the node.',
    sinceMs: nowMs - 5000,
  };
  const fleet = { a: snapshot([gpu(0, {}, { trouble: 'lost' })]), b: snapshot([], away) };

  const [head, first] = lines(health, fleet);

  expect(head).toBe(
    '1 GPU on 2 nodes: 1 failed. Driver problem on b: there may be more GPUs than could be read. Readings at most 1 s old; those taken once a minute at most 31 s.',
  );
  expect(first).toBe('b: DRIVER_NOT_LOADED for 5 s: nvmlInit_v2 returned 9. Run nvidia-smi on the node.');
});

test('an agent that has just started says so', () => {
  const [head, first] = lines(health, { a: snapshot([], { state: 'starting' }) });

  expect(head).toBe('0 GPUs on 1 node. Driver problem on a: there may be more GPUs than could be read.');
  expect(first).toContain('no sample was taken yet');
});

test('a driver that hangs is named with its age, and its last values keep theirs', () => {
  const [, first, second] = lines(health, {
    a: snapshot([gpu(0, {}, { readAtMs: nowMs - 600_000 })], hanging),
  });

  expect(first).toMatch(/^a: DRIVER_NOT_RESPONDING for 60 s: /);
  expect(second).toMatch(
    /^unknown: a GPU 0 .*read 10 min ago\): the driver is not responding.*values are 10 min old/,
  );
});

test('the age of the oldest reading is in the head', () => {
  const old = gpu(0, {}, { readAtMs: nowMs - 90_000 });

  expect(lines(health, { a: snapshot([gpu(0)]), b: snapshot([old]) })[0]).toContain(
    'Readings at most 90 s old',
  );
});

test('a finding that rests on a reading taken once a minute has the age of that reading', () => {
  const t4 = gpu(0, { remappedRows: { missing: 'notSupported' }, retiredPagesPending: true });

  for (const detail of ['summary', 'full'])
    expect(lines(health, { a: snapshot([t4]) }, { detail })[1]).toContain(
      'a page retirement waits for a GPU reset (read 31 s ago)',
    );
});

test('readings of one age are not told apart', () => {
  const fresh = gpu(0, { retiredPagesPending: true }, { readAtMs: nowMs - 4 });

  expect(lines(health, { a: snapshot([fresh]) }, { detail: 'full' }).slice(0, 2)).toEqual([
    expect.stringMatching(/Readings at most 4 ms old\.$/),
    expect.stringMatching(/read 4 ms ago\): a page retirement waits for a GPU reset\. /),
  ]);
});

test('a GPU with all its values says how old those are that are taken once a minute', () => {
  const [, row] = lines(health, { a: snapshot([gpu(0)]) }, { detail: 'full' });

  expect(row).toMatch(/read 1 s ago \(31 s ago: .*\bsramEcc, .*\bfabric\)\): nothing found/);
});

test('made-up data is said to be made up', () => {
  const made = snapshot([gpu(0)], driverOk, true);

  for (const detail of ['summary', 'full']) {
    expect(lines(health, { a: made }, { detail })[0]).toBe('SIMULATED DATA: these GPUs are made up.');
    expect(lines(health, { a: made, b: snapshot([gpu(0)]) }, { detail })[0]).toContain(
      'SIMULATED DATA on a:',
    );
  }
});

test('counters that could not be read are not told to be 0', () => {
  const [link] = orNull(gpu(0).readings.nvlinks) ?? [];
  if (!link) throw new Error('the board has links');
  const unread = { ...link, errors: {}, missing: { errors: 'noPermission' as const } };
  const textOf = (state: GpuState) => lines(health, { a: snapshot([state]) }, { detail: 'full' })[1];

  expect(textOf(gpu(0))).toContain('all counters 0');
  for (const blind of [{ pcieReplays: { missing: 'nvmlReturn999' as const } }, { nvlinks: [link, unread] }])
    expect(textOf(gpu(0, blind))).toContain('all counters that could be read 0');
  expect(textOf(gpu(0, { nvlinks: [link, unread] }))).toContain('error counters of 1 not read: noPermission');
});

test('a driver that has nothing to tell of a reading has not failed to tell it', () => {
  const blank = gpu(0, { serial: { missing: 'noData' }, performanceState: { missing: 'noData' } });

  expect(lines(health, { a: snapshot([blank]) })[1]).toBe('ok: a: 1 × NVIDIA H100 80GB HBM3');
});

test.for(['eccLocations', 'nvlinks'] as const)(
  'where %s could not be read not all counters are 0',
  (name) => {
    const row = (given: object) => ask(health, { a: snapshot([gpu(0, given)]) }, { detail: 'full' }).text;

    expect(row({})).toContain('all counters 0');
    expect(row({ [name]: { missing: 'nvmlReturn999' } })).toContain('all counters that could be read 0');
  },
);

test('a fabric that has failed, or of whose health not all is told, is not healthy', () => {
  const fabric = { state: 'completed' as const, status: 0, clusterUuid: 'c', cliqueId: 1, faults: [] };
  const row = (given: object) =>
    ask(health, { a: snapshot([gpu(0, { fabric: { ...fabric, ...given } })]) }, { detail: 'full' }).text;

  expect(row({})).toContain('NVLink fabric completed, healthy (');
  expect(row({ faults: null })).toContain('NVLink fabric completed, health not told (');
  expect(row({ status: 999 })).toContain('NVLink fabric completed, FAILED with code 999, health not told (');
  expect(row({ state: 'inProgress', status: 3 })).not.toContain('with code');
});
