import { expect, test, vi } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { EventBook } from '../../src/server/events/event-book.ts';
import { kernelLogLines, type LogLines, watchKernelLog } from '../../src/server/events/kernel-log-watch.ts';
import { XidBook } from '../../src/server/events/xid-book.ts';
import type { KernelLogRead } from '../../src/server/libc.ts';

const line = '<4>[1.5] NVRM: Xid (PCI:0000:3b:00): 79, pid=1, x\n';
const readable: KernelLogRead = { bytes: Buffer.from(line) };
const refused: KernelLogRead = { errno: 1 };

function watched(read: () => LogLines) {
  vi.useFakeTimers();
  const book = new EventBook({ bootId: 'b', bootedAtMs: 0, nowMs: Date.now, monotonicMs: Date.now });
  const xids = new XidBook();
  const logged: string[] = [];
  const log = createLog('debug', (text) => void logged.push(text));
  const { end } = watchKernelLog(read, { book, xids, intervalMs: 1000, log });
  return { book, xids, logged, end };
}

test('the log is read at once and then again and again; events and metrics see what it tells', () => {
  let text = '';
  const { book, xids, end } = watched(kernelLogLines(() => ({ bytes: Buffer.from(text) })));
  expect(book.since(undefined).events).toEqual([]);

  text = line;
  vi.advanceTimersByTime(3000);

  expect(book.since(undefined).events).toMatchObject([{ code: 79 }]);
  expect(xids.lastOf('0000:3b:00')).toBe(79);
  expect(book.sources.kernelLog).toEqual({ readable: true, reason: null });
  end();
  vi.useRealTimers();
});

test('a log that may not be read is said once in the log, and in the state of the source; it can be read again', () => {
  let result: KernelLogRead = refused;
  const { book, logged, end } = watched(kernelLogLines(() => result, '/nonexistent/kmsg'));
  vi.advanceTimersByTime(5000);

  expect(book.sources.kernelLog).toEqual({
    readable: false,
    reason: expect.stringMatching(/^errno 1: .*SYSLOG/),
  });
  expect(logged.filter((text) => text.includes('cannot be read'))).toHaveLength(1);

  result = readable;
  vi.advanceTimersByTime(1000);
  expect(book.sources.kernelLog.readable).toBe(true);
  expect(book.since(undefined).events).toHaveLength(1);
  end();
  vi.useRealTimers();
});

test('a log that is as it was is not gone through again, and one that has grown is', () => {
  let text = line;
  const read = kernelLogLines(() => ({ bytes: Buffer.from(text) }));

  expect(read()).toMatchObject({ lines: [{ printed: '1.5' }] });
  expect(read()).toBe('unchanged');
  text += line;
  expect(read()).toMatchObject({ lines: [{ printed: '1.5' }, { printed: '1.5' }] });
});
