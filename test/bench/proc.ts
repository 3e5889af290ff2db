// Processes as /proc shows them. Source: proc(5).
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process for as long as it lives: a number alone may be another one's tomorrow. */
export interface Process {
  readonly pid: number;
  /** In clock ticks since the machine's start; undefined for one that was gone before it could be looked at. */
  readonly startedTicks: string | undefined;
}

export function processOf(pid: number): Process {
  return { pid, startedTicks: statField(pid, 22) };
}

/** A zombie has ended: what is left of it is its parent's to collect, and here that may be a stranger. */
export function isAlive({ pid, startedTicks }: Process): boolean {
  const state = statField(pid, 3);
  return state !== undefined && statField(pid, 22) === startedTicks && !'ZX'.includes(state);
}

export interface Resident {
  readonly allMb: number;
  readonly anonMb: number;
  readonly fileMb: number;
}

/** Resident memory of a process, and what it is made of. */
export function residentOf(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { allMb: megabytes('VmRSS'), anonMb: megabytes('RssAnon'), fileMb: megabytes('RssFile') };
}

/** What a process has caused to be read from the disk so far, in MB. */
export function readFromDiskMB(pid: number): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]) / 1e6;
}

/** How often a page had to be fetched from the disk for a process so far: thousands, where pages are evicted that are needed. */
export function majorFaults(pid: number): number {
  return Number(statField(pid, 12));
}

/** Processor time of all threads of a process so far. */
export function cpuMs(pid: number): number {
  const msPerTick = 10; // USER_HZ is 100 wherever Linux runs
  return (Number(statField(pid, 14)) + Number(statField(pid, 15))) * msPerTick;
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

/** Numbered as in proc(5); undefined once the process is gone. Its name, in brackets, may hold spaces and brackets itself. */
function statField(pid: number, number: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[number - 3];
  } catch {
    return undefined;
  }
}
