import { expect, test, vi } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { driverEventsOf } from '../../src/server/events/driver-events.ts';
import { EventBook } from '../../src/server/events/event-book.ts';
import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { kernelLog } from '../../src/server/events/kernel-line.ts';
import type { EventListener } from '../../src/server/nvml/event-lane.ts';

const log = createLog('error', () => undefined);

function heardBy(book: EventBook, lookAtLog?: () => void): EventListener {
  const listeners: EventListener[] = [];
  const laneFor = (listener: EventListener) => {
    listeners.push(listener);
    return { begin: () => undefined, end: async () => undefined };
  };
  driverEventsOf({ laneFor, book, log, ...(lookAtLog && { lookAtLog }) });
  const [listener] = listeners;
  if (!listener) throw new Error('nobody listens');
  return listener;
}

test('an Xid that the driver tells of has the words of its line when a reader first sees it', () => {
  vi.useFakeTimers();
  const book = new EventBook({ bootId: 'b', bootedAtMs: 0, nowMs: Date.now, monotonicMs: Date.now });
  const line =
    '<4>[1.5] NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed to 0x1 (GPU Reset Required)';
  book.readLog([]);
  const read: string[][] = [];
  book.onEvents((_, told) => read.push(told.map(({ message }) => message)));

  heardBy(book, () => book.readLog(eventsIn(kernelLog(Buffer.from(line)).lines))).event({
    pciSlot: '0000:3b:00',
    xid: 154,
    gpuInstanceId: null,
    computeInstanceId: null,
  });
  vi.advanceTimersByTime(1000);

  expect(read).toEqual([[expect.stringContaining('GPU Reset Required')]]);
  expect(book.since(undefined).events).toMatchObject([{ sources: ['kernelLog', 'nvml'] }]);
  vi.useRealTimers();
});
