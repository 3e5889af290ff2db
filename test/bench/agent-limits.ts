import { coldCopy } from './agent-cold-copy.ts';
import { callMany, manyCalls } from './agent-load.ts';
import { oneshot } from './agent-oneshot.ts';
import { fakeNode, startAgent, whyNoAgent } from './agent-process.ts';
import type { Benchmark, Figure } from './bench.ts';
import { type Cgroup, createCgroup, whyNoCgroup } from './cgroup.ts';
import { createDisk, whyNoDisk } from './disk.ts';
import { majorFaults, readFromDiskMB } from './proc.ts';
import { whyNoWrk } from './wrk.ts';

const gpus = 8;
/** 64 MiB. */
const workingSetBound = { atMost: 67.1 };
const roomyMiB = 256;
const roomyRuns = 5;
const tightMiB = [64, 80, 96, 112, 128];
const coldStarts = 20;
/** From the copy's start to the last answer; one that thrashes would need many minutes. */
const deadlineMs = 30_000;
/** After so many a limit is known to be too small, and the time is better spent on the next. */
const enoughFailures = 5;
/** Of 110 MB; a start that reads less found its file in the page cache. */
const coldReadsAtLeastMB = 10;

/** What became of an agent under a limit, with 10,000 calls and a oneshot beside it. */
interface Life {
  /** Why it has not survived. */
  readonly fault?: string;
  readonly callsPerS: number;
  readonly workingSetMB: number;
  readonly majorFaults: number;
  readonly readFromDiskMB: number;
}

const neverLived = { callsPerS: 0, workingSetMB: 0, majorFaults: 0, readFromDiskMB: 0 };

const whyNot = () => whyNoAgent() ?? whyNoWrk() ?? whyNoDisk() ?? whyNoCgroup();

export const agentLimits: Benchmark = {
  name: 'agent-limits',
  about:
    '10,000 calls and a oneshot in a memory cgroup: 256 MiB, then 20 cold starts each of 64 to 128 MiB, 10 minutes',
  whyNot,
  async measure(report) {
    using disk = createDisk(128); // the kernel's default, in KiB
    await measureRoomy('warm', { report, disk: undefined });
    await measureRoomy('cold', { report, disk });
    for (const limitMiB of tightMiB) await measureTight(limitMiB, '', { report, disk });
  },
};

export const agentLimitsReadAhead: Benchmark = {
  name: 'agent-limits-read-ahead',
  about:
    'the same cold starts from a disk that reads 4 MiB ahead, as some distributions tune servers, 10 minutes',
  whyNot,
  async measure(report) {
    using disk = createDisk(4096);
    for (const limitMiB of tightMiB) await measureTight(limitMiB, ', reading 4 MiB ahead', { report, disk });
  },
};

type Report = (figure: Figure) => void;

interface Where {
  readonly report: Report;
  /** Where the agent's file is put, fresh for each start; undefined: it lies in the page cache. */
  readonly disk: { readonly folder: string } | undefined;
}

async function measureRoomy(start: 'warm' | 'cold', { report, disk }: Where): Promise<void> {
  const lives: Life[] = [];
  while (lives.length < roomyRuns) lives.push(await life(roomyMiB, disk));
  const failed = lives.find(({ fault }) => fault !== undefined);
  if (failed) throw new Error(`under ${roomyMiB} MiB: ${failed.fault}`);
  reportLives(`${roomyMiB} MiB, ${start}`, lives, report, workingSetBound);
}

async function measureTight(limitMiB: number, how: string, { report, disk }: Where): Promise<void> {
  const survivors: Life[] = [];
  const faults: string[] = [];
  while (survivors.length + faults.length < coldStarts && faults.length < enoughFailures) {
    const each = await life(limitMiB, disk);
    if (each.fault === undefined) survivors.push(each);
    else faults.push(each.fault);
  }
  const starts = survivors.length + faults.length;
  const what = `${limitMiB} MiB, cold${how}`;
  report({ what: `${what}: survivors of ${starts} starts`, unit: 'count', runs: [survivors.length] });
  for (const fault of faults) process.stderr.write(`  ${limitMiB} MiB: not survived: ${fault}\n`);
  reportLives(what, survivors, report);
}

function reportLives(what: string, lives: readonly Life[], report: Report, bound?: Figure['bound']): void {
  if (lives.length === 0) return;
  const of = (name: 'callsPerS' | 'workingSetMB' | 'majorFaults') => lives.map((each) => each[name]);
  report({ what: `${what}: working set`, unit: 'MB', runs: of('workingSetMB'), ...(bound && { bound }) });
  report({ what: `${what}: rate`, unit: 'calls/s', runs: of('callsPerS') });
  report({ what: `${what}: major faults`, unit: 'count', runs: of('majorFaults') });
}

async function life(limitMiB: number, disk: Where['disk']): Promise<Life> {
  using copy = disk && coldCopy(disk.folder);
  using cgroup = createCgroup(limitMiB);
  const result = await lived(cgroup, copy?.program).catch((thrown: Error): Life => {
    const killed = cgroup.oomKills() > 0 ? 'killed for memory: ' : '';
    const why = thrown.name === 'TimeoutError' ? `not done after ${deadlineMs} ms` : thrown.message;
    return { fault: `${killed}${why}`, ...neverLived };
  });
  if (copy && !result.fault && result.readFromDiskMB < coldReadsAtLeastMB)
    throw new Error(`a start was not cold: it read ${result.readFromDiskMB} MB from the disk`);
  return result;
}

/** @throws Error saying why it has not survived */
async function lived(cgroup: Cgroup, program: string | undefined): Promise<Life> {
  using node = fakeNode(gpus);
  const place = { cgroupProcs: cgroup.procs, ...(program !== undefined && { program }) };
  const startedMs = performance.now();
  await using agent = await startAgent(node, place, deadlineMs);
  const late = AbortSignal.timeout(Math.max(0, deadlineMs - (performance.now() - startedMs)));
  const over = new AbortController();
  const signal = AbortSignal.any([late, over.signal]);
  void agent.ended.then(() => over.abort(new Error('the agent has ended')));
  const load = callMany(agent, node, { forS: deadlineMs / 1000, signal });
  const asked = oneshot(node, agent.port, { ...place, signal });
  const [{ answers, failed, seconds }] = await Promise.all([load, asked]).finally(() => over.abort());
  if (failed > 0 || answers < manyCalls) throw new Error(`${failed} of ${answers} calls failed or were late`);
  if (cgroup.oomKills() > 0) throw new Error('something in it was killed for memory');
  return {
    callsPerS: answers / seconds,
    workingSetMB: cgroup.workingSetMB(),
    majorFaults: majorFaults(agent.pid),
    readFromDiskMB: readFromDiskMB(agent.pid),
  };
}
