import { expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import type { EventDetails, GpuEvent } from '../../src/core/event.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { present } from '../../src/tools/present.ts';
import { xidErrors } from '../../src/tools/xid-errors.ts';
import { contextOf } from '../support/answers.ts';
import { eventLog, xidEvent } from '../support/events.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const node = snapshot([gpu(0), gpu(1)]);
const slot = '0000:0a:00';

function rowsOf(events: readonly GpuEvent[]): string[] {
  const args = parseArguments(xidErrors.input, {});
  const answer = xidErrors.answer(args, contextOf(node, eventLog(events)));
  const value = xidErrors.output.parse(JSON.parse(JSON.stringify(answer)));
  const input = parseArguments(fleetInput(xidErrors), {});
  return present(xidErrors, input, [{ node: 'a', value }])
    .text.split('\n')
    .slice(1);
}

const xid = (details: EventDetails, code = 13) => xidEvent(slot, code, { details });
const driverSays = (message: string) => xidEvent(slot, 0, { kind: 'nvrm', code: null, message });
const killed = (details: EventDetails) =>
  xidEvent(slot, 0, { kind: 'oomKill', code: null, pciSlot: null, details });

test('one error of several GPU instances is one line that names each of them with its program', () => {
  const alice = { gpuInstanceId: 5, pid: 100, processName: 'alice' };
  const bob = { gpuInstanceId: 9, pid: 200, processName: 'bob' };

  const [row, ...others] = rowsOf([xid(alice), xid(bob), xid(alice)]);

  expect(row).toContain(
    ': 3 × Xid 13 Graphics Engine Exception, GPU instance 5, pid 100 (alice); GPU instance 9, pid 200 (bob), at ',
  );
  expect(others).toEqual([]);
});

test('of many programs five are named, and how many more there are', () => {
  const [row] = rowsOf(Array.from({ length: 64 }, (_, at) => xid({ pid: 1000 + at }, 45)));

  expect(row).toMatch(/64 × Xid 45 .*, pid 1000; pid 1001; pid 1002; pid 1003; pid 1004; and 59 more, at /);
});

test('an error that names nobody, and one that names only its instance or its program', () => {
  expect(rowsOf([xid({})])[0]).toContain(': Xid 13 Graphics Engine Exception, at ');
  expect(rowsOf([xid({ gpuInstanceId: 3 })])[0]).toContain(', GPU instance 3, at ');
  expect(rowsOf([xid({ processName: 'job' })])[0]).toContain(', (job), at ');
});

test('every program that was killed for want of memory is named', () => {
  const rows = rowsOf([killed({ pid: 5, processName: 'python3' }), killed({ pid: 6, processName: 'java' })]);

  expect(rows).toEqual([
    expect.stringContaining('2 × killed for want of memory of the host, pid 5 (python3); pid 6 (java), at '),
  ]);
});

test('different messages of the driver are never one line; the same with other numbers is', () => {
  const rows = rowsOf([
    driverSays('GPU 0000:0a:00.0: RmInitAdapter failed! (0x62:0x40:2477)'),
    driverSays('GPU 0000:0a:00.0: RmInitAdapter failed! (0x62:0x41:2351)'),
    driverSays('GPU 0000:0a:00.0: rm_init_adapter failed, device minor number 3'),
    driverSays('nvAssertFailedNoLog: Assertion failed: 0 @ gpu.c:1234'),
    driverSays('nvAssertFailedNoLog: Assertion failed: 0 @ mem.c:77'),
  ]);

  expect(rows).toHaveLength(4);
  expect(rows.filter((row) => row.includes('2 × driver message'))).toEqual([
    expect.stringContaining('Line: GPU 0000:0a:00.0: RmInitAdapter failed! (0x62:0x41:2351)'),
  ]);
});

test('a message of one long word is told from others in no time', () => {
  const events = Array.from({ length: 200 }, (_, at) => driverSays(`${'a1'.repeat(500)}g${at}`));

  expect(rowsOf(events).length).toBeGreaterThan(1);
});
