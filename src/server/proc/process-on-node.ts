import { readdirSync, readFileSync } from 'node:fs';

import type { ProcessOnNode } from '../../core/process.ts';
import { type Missing, orNull, type Reading } from '../../core/reading.ts';
import { plainText } from '../../core/words.ts';
import type { BootClock } from '../node-clock.ts';
import { containerOf } from './cgroup.ts';
import type { ProcessBookOptions } from './process-book.ts';

/** USER_HZ: the unit of times in /proc, the same on every architecture that has NVIDIA's driver. */
const ticksPerSecond = 100;
const longestComm = 64;
/** A look at one takes some 15 µs. */
const threadsAtMost = 256;

/** What tells of the processes of the node that we are on. */
export function nodeProcesses({
  monotonicMs,
}: Pick<BootClock, 'monotonicMs'>): Required<Pick<ProcessBookOptions, 'onNode' | 'waitingThreads'>> {
  return {
    // Anew at each look: the clock may have been set since.
    onNode: (pid) => processOnNode(pid, Date.now() - monotonicMs()),
    waitingThreads: (pid) => waitingThreads(pid),
  };
}

/**
 * What the kernel says of a process. Of its folder only `comm`, `stat` and `cgroup` are opened: its arguments and its
 * environment may hold secrets, and nobody needs them to know whose it is.
 *
 * @param proc where the node's /proc is
 * @returns each missing: noData for a process that is gone, or in another PID namespace than this /proc; noPermission
 */
export function processOnNode(pid: number, bootedAtMs: number, proc = '/proc'): ProcessOnNode {
  const read = <T>(file: string, take: (text: string) => Reading<T>): Reading<T> => {
    const text = textOf(`${proc}/${pid}/${file}`);
    return 'missing' in text ? text : take(text.value);
  };
  const stat = read('stat', statIn);
  const isZombie = 'value' in stat && stat.value.state.startsWith('Z');
  return {
    comm: read('comm', (text) => ({ value: plainText(text, longestComm) })),
    state: 'missing' in stat ? stat : { value: stat.value.state },
    startedAtMs: 'missing' in stat ? stat : { value: Math.round(bootedAtMs + startedMs(stat.value)) },
    startTick: orNull(stat)?.startTick ?? null,
    container: read('cgroup', (text) => {
      const container = containerOf(text);
      // Under version 1 a process that has ended is moved to the root: that says nothing of where it was.
      return container === null && isZombie ? { missing: 'noData' } : { value: container };
    }),
  };
}

/**
 * The threads of a process that wait in the kernel, by what tells one from the same that has run since: `TID UTIME STIME`,
 * fields 14 and 15 of its stat. The usual holder that cannot be ended has a first thread that sleeps, and another that hangs
 * in the driver. Of each thread nothing but `stat` is opened.
 *
 * @param proc where the node's /proc is
 * @returns none for a process that is gone, or in another PID namespace than this /proc
 */
export function waitingThreads(pid: number, proc = '/proc'): string[] {
  return threadsOf(`${proc}/${pid}/task`).flatMap((tid) => {
    const text = textOf(`${proc}/${pid}/task/${tid}/stat`);
    const fields = 'missing' in text ? [] : fieldsOf(text.value);
    return fields[0] === 'D' ? `${tid} ${fields[11]} ${fields[12]}` : [];
  });
}

function threadsOf(folder: string): string[] {
  try {
    return readdirSync(folder).slice(0, threadsAtMost);
  } catch {
    return [];
  }
}

interface Stat {
  readonly state: string;
  readonly startTick: number;
}

function startedMs({ startTick }: Stat): number {
  return (1000 * startTick) / ticksPerSecond;
}

/** From the third on. `123 (name) S …`: the name is as its program likes, with brackets and blanks, so its end is the last bracket. */
function fieldsOf(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function statIn(text: string): Reading<Stat> {
  const fields = fieldsOf(text);
  const [state, threads, ticks] = [fields[0], Number(fields[17]), Number(fields[19])]; // 3, 20 and 22, counted from 1
  if (state === undefined || !/^[A-Za-z]$/.test(state) || !Number.isFinite(ticks))
    return { missing: 'noData' };
  // A process whose first thread has ended lives on with the others.
  return { value: { state: state === 'Z' && threads > 1 ? 'Zl' : state, startTick: ticks } };
}

function textOf(path: string): Reading<string> {
  try {
    return { value: readFileSync(path, 'utf8') };
  } catch (thrown) {
    return { missing: reasonOf((thrown as NodeJS.ErrnoException).code) };
  }
}

function reasonOf(code: string | undefined): Missing {
  return code === 'EACCES' || code === 'EPERM' ? 'noPermission' : 'noData'; // ESRCH: it ended while we looked
}
