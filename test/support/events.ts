import type { EventLog, GpuEvent } from '../../src/core/event.ts';

let made = 0;

/** An Xid that the kernel log has told of, half a minute before the clock of the tests' nodes. */
export function xidEvent(pciSlot: string, code: number, given: Partial<GpuEvent> = {}): GpuEvent {
  made += 1;
  return {
    number: made,
    id: `id-${made}`,
    kind: 'xid',
    bootId: 'b',
    atMs: Date.parse('2026-11-26T11:59:30.000Z'),
    monotonicMs: null,
    sources: ['kernelLog'],
    origin: 'kernel',
    pciSlot,
    code,
    message: `Xid (PCI:${pciSlot}): ${code}, pid=1, x`,
    details: {},
    ...given,
  };
}

export function eventLog(events: readonly GpuEvent[], given: Partial<EventLog> = {}): EventLog {
  return {
    since: () => ({ events, cursor: '0123abcd-7', eventsLost: false, lostBeforeMs: null }),
    sources: { kernelLog: { readable: true, reason: null }, nvml: { readable: true, reason: null } },
    ...given,
  };
}
