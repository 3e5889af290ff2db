import { readFileSync } from 'node:fs';

/** Resident memory of a process, by what it is made of. */
export function residentMB(pid: number): { readonly anon: number; readonly file: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { anon: megabytes('RssAnon'), file: megabytes('RssFile') };
}

/** What a process has caused to be read from the disk so far, in MB. */
export function readFromDiskMB(pid: number): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]) / 1e6;
}

/** How often a page had to be fetched from the disk for a process so far: thousands, where pages are evicted that are needed. */
export function majorFaults(pid: number): number {
  return statField(pid, 12);
}

/** Processor time of all threads of a process so far. */
export function cpuMs(pid: number): number {
  const msPerTick = 10; // USER_HZ is 100 wherever Linux runs
  return (statField(pid, 14) + statField(pid, 15)) * msPerTick;
}

/** Numbered as in proc(5). */
function statField(pid: number, number: number): number {
  const [, afterName = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  return Number(afterName.split(' ')[number - 3]);
}
