import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program of the cluster, running or not any more. */
export interface Running {
  readonly name: string;
  /** 0 where it could not be started. */
  readonly pid: number;
  exited(): boolean;
  /** The last lines it wrote, for an error message. */
  logTail(): string;
  /** Kills it and does not wait: for when this process ends. */
  kill(): void;
  /** Kills it, as a crash would: what these programs would save is thrown away. Resolves when it is gone. */
  end(): Promise<void>;
}

/**
 * Starts a program with its output in `logPath`.
 *
 * It dies with us whatever happens: `setpriv --pdeathsig` makes the kernel kill it when the thread that started
 * it ends, which also covers a SIGKILL of the test runner. It does not keep the event loop alive.
 */
export function launch(name: string, command: string, args: readonly string[], logPath: string): Running {
  const log = openSync(logPath, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  child.once('error', (error) => appendFileSync(logPath, `${error}\n`));
  return {
    name,
    pid: child.pid ?? 0,
    exited: () => hasExited(child),
    logTail: () => readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-20).join('\n'),
    kill: () => child.kill('SIGKILL'),
    end: () => end(child),
  };
}

/**
 * Polls `ready` until it holds. Rejects with the tail of a program's log as soon as one of `programs` has exited,
 * or of the last one's when `limitMs` has passed.
 */
export async function untilReady(
  what: string,
  {
    programs,
    ready,
    limitMs,
  }: { programs: readonly Running[]; ready: () => Promise<boolean>; limitMs: number },
): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (!(await ready().catch(() => false))) {
    const dead = programs.find((program) => program.exited());
    if (dead)
      throw new Error(`${dead.name} exited while waiting for ${what}; its log ends:\n${dead.logTail()}`);
    if (Date.now() > giveUpAt) {
      const last = programs.at(-1);
      throw new Error(`no ${what} after ${limitMs} ms; the log of ${last?.name} ends:\n${last?.logTail()}`);
    }
    await sleep(50);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  child.ref();
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function hasExited(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
