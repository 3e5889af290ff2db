import { expect, test } from 'vitest';

import { processRowOf, processText } from '../../src/tools/process-row.ts';

const nowMs = Date.parse('2026-11-26T12:00:00.000Z');
const unknown = { missing: 'noData' } as const;

function textOf(sampledAtMs: number): string {
  const shares = { smPercent: 92, memoryPercent: 50, encoderPercent: 0, decoderPercent: 0 };
  const row = processRowOf({
    pid: 1,
    kinds: ['compute'],
    usedBytes: { value: 1 },
    gpuInstanceId: null,
    computeInstanceId: null,
    utilization: { value: { ...shares, atMs: sampledAtMs } },
    onNode: { comm: unknown, state: unknown, startedAtMs: unknown, container: unknown },
    holders: [],
    left: false,
    waitingMs: null,
  });
  return processText(row, nowMs);
}

test('what a process did minutes ago is not told as if it did it now', () => {
  expect(textOf(nowMs - 1000)).toContain('SM 92 % (memory 50 %)');
  expect(textOf(nowMs - 300_000)).toContain('SM 92 % 5 min ago (memory 50 %)');
});
