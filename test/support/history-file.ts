import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { createLog } from '../../src/core/log.ts';
import { HistoryFile } from '../../src/server/history/file.ts';
import { key, node } from './history.ts';

export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'history-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** One life of an agent that keeps its history in a folder, and what it logs. */
export async function lifeIn(
  folder: string,
  given: { bootId?: string | null; monotonicMs?: number; patienceMs?: number } = {},
) {
  const { bootId = 'boot-1', monotonicMs = 0, patienceMs = 10_000 } = given;
  const { history, clock, now, sample } = node({ bootId });
  clock.monotonicMs = monotonicMs;
  const logged: string[] = [];
  const log = createLog('debug', (line) => logged.push(JSON.parse(line).msg));
  const file = new HistoryFile({ folder, history, bootId, nowMs: () => now().atMs, log, patienceMs });
  await file.open();
  return {
    history,
    clock,
    now,
    sample,
    file,
    logged,
    rows: () => history.rows({ gpuKey: key }).rows,
    bins: () => history.bins({ gpuKey: key }),
  };
}
