import { expect, test } from 'vitest';
import { fleetInput } from '../../src/bridge/bridge.ts';
import type { EventLog, GpuEvent } from '../../src/core/event.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { xidErrors } from '../../src/tools/xid-errors.ts';
import { contextOf } from '../support/answers.ts';
import { eventLog, xidEvent } from '../support/events.ts';
import { driverOk, gpu, snapshot } from '../support/gpus.ts';

const node = snapshot([gpu(0), gpu(1)]);
const [slot0, slot1] = ['0000:0a:00', '0000:11:00'];

function ask(fleet: Readonly<Record<string, [Snapshot, EventLog]>>, given: object = {}) {
  const args = parseArguments(xidErrors.input, { ...given, detail: 'full' });
  const answers = Object.entries(fleet).map(([name, [state, events]]) => ({
    node: name,
    value: xidErrors.output.parse(
      JSON.parse(JSON.stringify(xidErrors.answer(args, contextOf(state, events)))),
    ),
  }));
  return present(xidErrors, parseArguments(fleetInput(xidErrors), given), answers);
}

function lines(events: readonly GpuEvent[], given: object = {}): string[] {
  return ask({ a: [node, eventLog(events)] }, given).text.split('\n');
}

test('an Xid is told with its name, its GPU, its program, when, what it means and what to do', () => {
  const [head, row] = lines([xidEvent(slot1, 79, { details: { pid: 77, processName: 'train' } })]);

  expect(head).toBe('1 event on 1 node: 1 fatal.');
  expect(row).toMatch(
    /^fatal: a GPU 1 \(PCI 0000:11:00\): Xid 79 GPU has fallen off the bus, pid 77 \(train\), at 2026-11-26T11:59:30Z\. .*Action rebootNode: drain the node and reboot it\. NVIDIA: Restart the bare-metal node/,
  );
});

test('a burst of one error is one line with its count, its span and its cause', () => {
  const start = Date.parse('2026-11-26T11:00:00.000Z');
  const events = Array.from({ length: 64 }, (_, at) =>
    xidEvent(slot0, 45, { atMs: start + 100 * at, details: { causedByXid: 149 } }),
  );

  const [, row, ...rest] = lines(events);

  expect(row).toMatch(
    /64 × Xid 45 Preemptive cleanup.*, from 2026-11-26T11:00:00Z to 2026-11-26T11:00:06Z, caused by Xid 149/,
  );
  expect(rest).toEqual([]);
  const { structured } = ask({ a: [node, eventLog(events)] }, { detail: 'full' });
  expect(structured['page']).toMatchObject({ rowsTotal: 64 });
});

test('the same error hours later is another line', () => {
  const late = xidEvent(slot0, 31);
  const early = xidEvent(slot0, 31, { atMs: (late.atMs ?? 0) - 3_600_000 });

  expect(lines([early, late])).toHaveLength(3);
});

test('the worst come first, and of equals the newest', () => {
  const at = (minute: number) => ({ atMs: Date.parse('2026-11-26T11:00:00.000Z') + 60_000 * minute });
  const events = [xidEvent(slot0, 31, at(1)), xidEvent(slot0, 79, at(2)), xidEvent(slot1, 13, at(3))];

  expect(
    lines(events)
      .slice(1)
      .map((row) => /Xid (\d+)/.exec(row)?.[1]),
  ).toEqual(['79', '13', '31']);
});

test('what cannot be read is no silence: each source is named with the nodes and the reason', () => {
  const heard = { readable: true, reason: null };
  const unread = { readable: false, reason: 'errno 1: it takes root' };
  const unheard = { readable: false, reason: 'the driver is not open' };
  const log = (kernelLog: typeof heard | typeof unread, nvml: typeof heard | typeof unread) =>
    eventLog([], { sources: { kernelLog, nvml } });

  const text = ask({
    a: [node, log(unread, unheard)],
    b: [node, log(unread, unheard)],
    c: [node, log(heard, unheard)],
    d: [node, log(heard, heard)],
    e: [snapshot([gpu(0)], driverOk, true), log(heard, unheard)],
  }).text.split('\n');

  expect(text).toEqual([
    expect.stringContaining('SIMULATED DATA on e'),
    '0 events on 5 nodes. The kernel log is read on 3 of 5 nodes.',
    "unknown: a,b: the kernel log is not read: errno 1: it takes root. Nor are the driver's own events heard: the driver is not open",
    "c: the driver's own events are not heard: the driver is not open. Events are those of the kernel log",
  ]);
});

test('an event that the driver told, where the kernel log cannot be read, is none of that log', () => {
  const sources = {
    kernelLog: { readable: false, reason: 'errno 1: it takes root' },
    nvml: { readable: true, reason: null },
  };
  const text = ask({ a: [node, eventLog([xidEvent(slot0, 79, { sources: ['nvml'] })], { sources })] }).text;

  expect(text.split('\n').slice(0, 2)).toEqual([
    '1 event on 1 node: 1 fatal. The kernel log is read on 0 of 1 node.',
    'unknown: a: the kernel log is not read: errno 1: it takes root. Only the Xids that the driver itself tells are known',
  ]);
});

test('what a program wrote proves nothing, is said to, and comes last', () => {
  const text = lines([xidEvent(slot0, 79, { origin: 'userSpace' }), xidEvent(slot0, 31)]);

  expect(text[1]).toContain('Xid 31');
  expect(text[2]).toMatch(/^info: .*userSpace\): it proves nothing/);
  expect(text[2]).not.toContain('Action');
});

test('one GPU is asked for by any of its names, also one that only the log knows', () => {
  const events = [xidEvent(slot0, 31), xidEvent(slot1, 79)];

  expect(lines(events, { gpu: 1 }).slice(1)).toEqual([expect.stringContaining('Xid 79')]);
  expect(lines(events, { gpu: '00000000:0A:00.0' }).slice(1)).toEqual([expect.stringContaining('Xid 31')]);
  expect(() => lines(events, { gpu: 9 })).toThrow(expect.objectContaining({ code: 'GPU_NOT_FOUND' }));
});

test("a GPU whose address is not known is not told the node's events as its own", () => {
  const lost = snapshot([gpu(0), gpu(1, { pciAddress: { missing: 'gpuLost' } })]);
  const events = [xidEvent(slot0, 31), xidEvent(slot1, 79, { kind: 'oomKill', code: null, pciSlot: null })];
  const text = (given: object) => ask({ a: [lost, eventLog(events)] }, given).text.split('\n');

  expect(text({ gpu: 1 })).toEqual([
    '0 events on 1 node.',
    expect.stringMatching(/^unknown: a: the PCI address of this GPU is not known/),
  ]);
  expect(text({})).toHaveLength(3);
  const { structured } = ask({ a: [lost, eventLog(events)] });
  expect(structured['rows']).toContainEqual(
    expect.objectContaining({ event: expect.objectContaining({ kind: 'oomKill', gpuIndex: null }) }),
  );
});

test('a window keeps what is in it, and what the log does not date', () => {
  const old = xidEvent(slot0, 31, { atMs: Date.parse('2026-11-26T10:00:00.000Z') });
  const undated = xidEvent(slot0, 13, { atMs: null });

  const text = lines([old, undated, xidEvent(slot0, 79)], { sinceMinutes: 30 });

  expect(text.slice(1).map((row) => /Xid (\d+)/.exec(row)?.[1])).toEqual(['79', '13']);
  expect(text[2]).toContain('at a time that the log does not tell');
});

test('the cursor of each node is told, and that events were lost', () => {
  const page = { events: [], cursor: '0123abcd-9', eventsLost: true, lostBeforeMs: null };
  const log = eventLog([], { since: () => page });

  const { structured, text } = ask({ a: [node, log] }, { since: '0123abcd-1' });

  expect(structured).toMatchObject({ cursors: { a: '0123abcd-9' } });
  expect(text).toContain('a: events were dropped for want of room');
});

test.for<[lostBefore: string | null, isTold: boolean]>([
  ['2026-11-26T11:29:00.000Z', false],
  ['2026-11-26T11:31:00.000Z', true],
  [null, true],
])(
  'of a window of half an hour until noon some are missing if they were lost at %s: %s',
  ([lostBefore, isTold]) => {
    const lostBeforeMs = lostBefore === null ? null : Date.parse(lostBefore);
    const page = { events: [], cursor: '0123abcd-9', eventsLost: true, lostBeforeMs };
    const log = eventLog([], { since: () => page });

    const { text } = ask({ a: [node, log] }, { sinceMinutes: 30 });

    expect(text.includes('dropped')).toBe(isTold);
    expect(ask({ a: [node, log] }).text).toContain('dropped');
  },
);

test('the other events of a node are named and judged', () => {
  const other = (kind: GpuEvent['kind'], given: Partial<GpuEvent> = {}) =>
    xidEvent(slot0, 0, { kind, code: null, ...given });
  const events = [
    other('fallenOffBus'),
    other('sxid', { code: 20_034, pciSlot: '0000:c1:00', details: { fatal: true, link: 30 } }),
    other('aer', { details: { fatal: true } }),
    other('aer', { details: { fatal: false, corrected: true } }),
    other('aer', { details: { fatal: false, corrected: false } }),
    other('aer', { details: { fatal: false } }), // as an older version kept it
    other('oomKill', { pciSlot: null, details: { pid: 5, processName: 'python3' } }),
    other('nvrm', { message: 'GPU 0000:0a:00.0: RmInitAdapter failed! (0x62:0x40:2477)' }),
  ];

  const rows = lines(events).slice(1);
  for (const expected of [
    /^fatal: a GPU 0 .*fallen off the bus/,
    /^critical: a PCI 0000:c1:00: SXid 20034/,
    /^critical: a GPU 0 .*PCIe bus error, fatal/,
    /^warning: a: killed for want of memory of the host, pid 5/,
    /^warning: a GPU 0 .*driver message, at [^ ]*Z\. Line: GPU 0000:0a:00\.0: RmInitAdapter failed! \(0x62:0x40:2477\)$/, // no action: nobody knows what it means
    /^warning: a GPU 0 .*: PCIe bus error, uncorrected, at /,
    /^info: a GPU 0 .*: 2 × PCIe bus error, at /,
  ])
    expect(rows.filter((row) => expected.test(row))).toHaveLength(1);
  expect(rows).toHaveLength(7);
});
