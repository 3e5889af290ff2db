import { readFileSync } from 'node:fs';

import type { ProcessOnNode } from '../../core/process.ts';
import type { Missing, Reading } from '../../core/reading.ts';
import { plainText } from '../../core/words.ts';
import { containerOf } from './cgroup.ts';

/** USER_HZ: the unit of times in /proc, the same on every architecture that has NVIDIA's driver. */
const ticksPerSecond = 100;
const longestComm = 64;

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
    startedAtMs: 'missing' in stat ? stat : { value: Math.round(bootedAtMs + stat.value.startedMs) },
    container: read('cgroup', (text) => {
      const container = containerOf(text);
      // Under version 1 a process that has ended is moved to the root: that says nothing of where it was.
      return container === null && isZombie ? { missing: 'noData' } : { value: container };
    }),
  };
}

/** `123 (name) S …`: the name is as its program likes, with brackets and blanks, so its end is the last bracket. */
function statIn(text: string): Reading<{ readonly state: string; readonly startedMs: number }> {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, threads, ticks] = [fields[0], Number(fields[17]), Number(fields[19])]; // 3, 20 and 22, counted from 1
  if (state === undefined || !/^[A-Za-z]$/.test(state) || !Number.isFinite(ticks))
    return { missing: 'noData' };
  // A process whose first thread has ended lives on with the others.
  return {
    value: { state: state === 'Z' && threads > 1 ? 'Zl' : state, startedMs: (1000 * ticks) / ticksPerSecond },
  };
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
