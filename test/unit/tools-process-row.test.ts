import { expect, test } from 'vitest';

import type { ContainerOfProcess } from '../../src/core/process.ts';
import { contested, type Instances, type ProcessRow, processRowOf } from '../../src/tools/process-row.ts';
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

const holders = [{ namespace: 'ml', pod: 'train-0', container: 'main' }];

/** A process of the container with this letter. */
function rowIn(
  pid: number,
  letter: string | null,
  { runtime = null, gpuInstanceId = null }: Partial<ContainerOfProcess & Instances> = {},
) {
  const inPod = { podUid: runtime === 'docker' ? null : `uid-${letter}`, runtime };
  const container = letter === null ? null : { containerId: letter.repeat(64), ...inPod };
  return processRowOf({
    ...{ pid, kinds: [], usedBytes: unknown, gpuInstanceId, computeInstanceId: null, utilization: unknown },
    onNode: {
      ...{ comm: unknown, state: unknown, startedAtMs: unknown, startTick: null },
      container: { value: container },
    },
    ...{ holders, left: false, waitingMs: null },
  });
}

function told(...rows: ProcessRow[]): string[] {
  return contested(rows, new Set()).map(({ attribution }) => attribution);
}

test('a GPU that one container was given and processes of two use is not said to be of that one in both', () => {
  expect(told(rowIn(1, 'a'), rowIn(2, 'b'), rowIn(3, null))).toEqual(['contested', 'contested', 'host']);
  expect(told(rowIn(1, 'a'), rowIn(2, 'a'))).toEqual(['device', 'device']);
  expect(told(rowIn(1, 'a', { gpuInstanceId: 3 }), rowIn(2, 'b', { gpuInstanceId: 4 }))).toEqual([
    'device',
    'device',
  ]);
  const [row] = contested([rowIn(1, 'a'), rowIn(2, 'b')], new Set());
  expect(row && processText(row, nowMs)).toContain(
    'pod ml/train-0 container main, or another one whose processes use this GPU (container aaaaaaaaaaaa in pod UID uid-a)',
  );
});

test('a container of plain docker is not the pod that was given the GPU, and casts no doubt on who that is', () => {
  const docker = rowIn(1, 'd', { runtime: 'docker' });

  expect(docker).toMatchObject({ attribution: 'container', holders: [] });
  expect(processText(docker, nowMs)).toMatch(/, container dddddddddddd of docker$/);
  expect(told(docker, rowIn(2, 'a'))).toEqual(['container', 'device']);
});
