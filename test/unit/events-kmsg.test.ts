import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { EventBook } from '../../src/server/events/event-book.ts';
import { eventsIn } from '../../src/server/events/gpu-lines.ts';
import { openKmsg } from '../../src/server/events/kmsg.ts';

const bootedAtMs = 1_700_000_000_000;

/** As long as what is read at once: a pipe then hands out one at a time, as the kernel does. */
const longestRecord = 8192;

function record(microseconds: number, text: string): string {
  const told = `4,${microseconds},${microseconds},-;${text}\n SUBSYSTEM=pci\n `;
  return `${told.padEnd(longestRecord - 1, '-')}\n`;
}

test('a storm of corrected bus errors in /dev/kmsg hides no Xid that was not read before, and a reader is told that some are gone', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'kmsg-'));
  const path = join(folder, 'kmsg');
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
  const read = openKmsg(path);
  const pipe = openSync(path, 'w');
  context.onTestFinished(() => {
    closeSync(pipe);
    rmSync(folder, { recursive: true });
  });
  const records = [
    record(1_000_000, 'NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=x, GPU has fallen off the bus.'),
    ...Array.from({ length: 8200 }, (_, at) =>
      record(2_000_000 + at, 'nvidia 0000:3b:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer'),
    ),
    record(3_000_000, 'eth0: link up'),
  ];

  let log = read?.();
  for (let at = 0; at < records.length; at += 8) {
    for (const each of records.slice(at, at + 8)) writeSync(pipe, each); // a pipe holds no more
    log = read?.();
  }

  const book = new EventBook({
    bootId: 'b',
    bootedAtMs,
    nowMs: () => bootedAtMs + 9000,
    monotonicMs: () => 9000,
  });
  book.readLog(eventsIn(log?.lines ?? []), log?.span);
  const { events, eventsLost } = book.since(undefined);
  expect(events[0]).toMatchObject({ code: 79 });
  expect(eventsLost).toBe(true);
  expect(log?.lines.length).toBeLessThan(3000);
  expect(log?.span).toEqual({ oldest: 1, newest: 3 });
});
