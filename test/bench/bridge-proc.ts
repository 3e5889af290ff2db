import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process for as long as it lives: a number alone may be another one's tomorrow. */
export interface Process {
  readonly pid: number;
  /** In clock ticks since the machine's start; undefined for one that was gone before it could be looked at. */
  readonly startedTicks: string | undefined;
}

export function processOf(pid: number): Process {
  return { pid, startedTicks: stat(pid)?.startedTicks };
}

/** A zombie has ended: what is left of it is its parent's to collect, and here that may be a stranger. */
export function isAlive({ pid, startedTicks }: Process): boolean {
  const now = stat(pid);
  return now !== undefined && now.startedTicks === startedTicks && !'ZX'.includes(now.state);
}

/** Resident memory, in MB. */
export function residentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kilobytes) * 1024) / 1e6;
}

export interface Handles {
  readonly all: number;
  readonly sockets: number;
}

export function handlesOf(pid: number): Handles {
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => target(`/proc/${pid}/fd/${fd}`));
  return { all: targets.length, sockets: targets.filter((each) => each.startsWith('socket:')).length };
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // closed while we looked
  }
}

/** Source: proc(5). The name, in brackets, may hold spaces and brackets itself. */
function stat(pid: number): { readonly state: string; readonly startedTicks: string } | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startedTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
