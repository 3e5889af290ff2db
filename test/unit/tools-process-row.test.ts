import { expect, test } from 'vitest';

import { contested, processRowOf } from '../../src/tools/process-row.ts';
import { processText } from '../../src/tools/process-text.ts';

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
    onNode: { comm: unknown, state: unknown, startedAtMs: unknown, startTick: null, container: unknown },
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

test('a GPU that one pod was given and processes of two pods use is not said to be of that one in both', () => {
  const holders = [{ namespace: 'ml', pod: 'train-0', container: 'main' }];
  const rowIn = (pid: number, podUid: string | null, gpuInstanceId: number | null = null) => {
    const container = podUid === null ? null : { containerId: 'c0ffee00'.repeat(8), runtime: null, podUid };
    return processRowOf({
      ...{ pid, kinds: [], usedBytes: unknown, gpuInstanceId, computeInstanceId: null, utilization: unknown },
      onNode: {
        comm: unknown,
        state: unknown,
        startedAtMs: unknown,
        startTick: null,
        container: { value: container },
      },
      ...{ holders, left: false, waitingMs: null },
    });
  };
  const told = (...rows: ReturnType<typeof rowIn>[]) => contested(rows).map(({ attribution }) => attribution);

  expect(told(rowIn(1, 'a'), rowIn(2, 'b'), rowIn(3, null))).toEqual(['contested', 'contested', 'host']);
  expect(told(rowIn(1, 'a'), rowIn(2, 'a'))).toEqual(['device', 'device']);
  expect(told(rowIn(1, 'a', 3), rowIn(2, 'b', 4))).toEqual(['device', 'device']);
  const [row] = contested([rowIn(1, 'a'), rowIn(2, 'b')]);
  expect(row && processText(row, nowMs)).toContain(
    'pod ml/train-0 container main, or another one whose processes use this GPU (container c0ffee00c0ff in pod UID a)',
  );
});
