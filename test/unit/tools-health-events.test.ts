import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { EventLog, GpuEvent } from '../../src/core/event.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { health } from '../../src/tools/health.ts';
import { healthEvents } from '../../src/tools/health-events.ts';
import { present } from '../../src/tools/present.ts';
import { contextOf } from '../support/answers.ts';
import { eventLog, xidEvent } from '../support/events.ts';
import { driverOk, gpu, snapshot } from '../support/gpus.ts';

const [slot0, slot1] = ['0000:0a:00', '0000:11:00'];
const atMs = Date.parse('2026-11-26T11:57:00.000Z'); // three minutes ago
const dayMs = 24 * 3_600_000;

function linesOf(events: readonly GpuEvent[], given: object = {}, log: Partial<EventLog> = {}): string[] {
  const args = parseArguments(health.input, { ...given, detail: 'full' });
  const answer = health.answer(args, contextOf(snapshot([gpu(0), gpu(1)]), eventLog(events, log)));
  const value = health.output.parse(JSON.parse(JSON.stringify(answer)));
  return present(health, parseArguments(fleetInput(health), given), [{ node: 'a', value }]).text.split('\n');
}

test('a GPU with a fatal Xid of the last day is watched, and told with what the Xid asks for', () => {
  const [head, row, ...rest] = linesOf([
    xidEvent(slot0, 119, { atMs: atMs - 120_000 }),
    xidEvent(slot0, 79, { atMs: atMs - 1000, sources: ['kernelLog', 'nvml'] }),
    xidEvent(slot0, 79, { atMs, sources: ['kernelLog', 'nvml'] }),
  ]);

  expect(head).toContain('2 GPUs on 1 node: 1 watch, 1 ok.');
  expect(row).toMatch(
    /^watch: a GPU 0 \(.*\): Xid 79 \(GPU has fallen off the bus\) 3 min ago, Xid 119 \(GSP RPC Timeout\) 5 min ago: see analyze_xid_errors\. Action rebootNode: /,
  );
  expect(rest).toEqual(['ok: a: 1 × NVIDIA H100 80GB HBM3']);
});

test('its evidence is the number, the time and who told', () => {
  const [, row] = linesOf([xidEvent(slot0, 79, { atMs }), xidEvent(slot0, 79, { atMs, sources: ['nvml'] })], {
    detail: 'full',
  });

  expect(row).toContain(
    'Evidence: Xid 79 (GPU has fallen off the bus)=2 times [NVML events], last at=2026-11-26T11:57:00.000Z [NVML events]',
  );
});

test('where events of that day were dropped it is that number at least', () => {
  const events = [xidEvent(slot0, 79, { atMs })];
  const lost = (lostBeforeMs: number) => ({
    since: () => ({ events, cursor: '0123abcd-9', eventsLost: true, lostBeforeMs }),
  });

  expect(linesOf(events, { detail: 'full' }, lost(atMs))[1]).toContain('=1 times at least [kernel log]');
  expect(linesOf(events, { detail: 'full' }, lost(atMs - dayMs))[1]).toContain('=1 time [kernel log]');
});

test('an error of a program makes no verdict, and the GPU is still not one of which nothing was found', () => {
  const [head, row] = linesOf([xidEvent(slot1, 31, { atMs })]);

  expect(head).toContain('2 GPUs on 1 node: 2 ok.');
  expect(row).toMatch(
    /^ok: a GPU 1 \(.*\): Xid 31 \(GPU memory page fault\) 3 min ago: see analyze_xid_errors$/,
  );
});

test('what is a day old, written by a program, repaired by the bus or of another GPU is no finding', () => {
  const [, ...rows] = linesOf([
    xidEvent(slot0, 79, { atMs: atMs - dayMs }),
    xidEvent(slot0, 79, { atMs, origin: 'userSpace' }),
    xidEvent('0000:ff:00', 79, { atMs }),
    xidEvent(slot0, 0, { atMs, kind: 'aer', code: null, details: { fatal: false, corrected: true } }),
  ]);

  expect(rows).toEqual(['ok: a: 2 × NVIDIA H100 80GB HBM3']);
});

test('nobody is sent to reboot for what was before the last boot', () => {
  const [, row] = linesOf([xidEvent(slot0, 79, { atMs, bootId: 'before' })]);

  expect(row).toMatch(/^watch: .*Xid 79 .* 3 min ago: see analyze_xid_errors$/);
});

test('the newest word of the driver on what is to be done counts', () => {
  const changed = (message: string) => xidEvent(slot0, 154, { atMs, message });
  const needed = changed('GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)');
  const over = changed('GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)');

  expect(linesOf([needed])[1]).toMatch(/^watch: .*Action resetGpu/);
  expect(linesOf([needed, over])[1]).toMatch(/^ok: /);
});

test.for([
  [false, 'Xids'],
  [true, 'Xids but for those that the driver itself tells'],
] as const)(
  'where the kernel log is not read that is said, and why (driver heard: %s)',
  ([readable, what]) => {
    const sources = {
      kernelLog: { readable: false, reason: 'no --kernel-log' },
      nvml: { readable, reason: null },
    };
    const [, row] = linesOf([], {}, { sources });

    expect(row).toBe(
      `ok as far as checked: a: 2 × NVIDIA H100 80GB HBM3 (not checked: ${what}: the kernel log is not read (no --kernel-log))`,
    );
  },
);

test('simulated GPUs are not told to lack a kernel log', () => {
  const unread = { readable: false, reason: 'not read yet' };
  const log = eventLog([], { sources: { kernelLog: unread, nvml: unread } });

  const { uncheckedOf } = healthEvents(contextOf(snapshot([gpu(0)], driverOk, true), log));

  expect(uncheckedOf(gpu(0))).toEqual([]);
});
